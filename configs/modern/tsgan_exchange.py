# TS-GAN with CAJ's channel exchange as a second view of each RGB image, beside the fake infrared image.
_base_ = ['../tsgan_jd.py', '../_base_/datasets/pipelines_256x128.py']
train_pipeline = {{_base_.middle.exchange_view}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline), collate_fn=dict(type='tsgan.collate_views'))
