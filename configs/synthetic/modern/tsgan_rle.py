# TS-GAN with RLE's moderate enhancement as a second view of each RGB image, beside the fake infrared image.
_base_ = ['../tsgan_jd_sum.py', '../../_base_/datasets/pipelines_96x48.py']
train_pipeline = {{_base_.small.rle_view}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline), collate_fn=dict(type='tsgan.collate_views'))
