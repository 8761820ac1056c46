# The backbone with a second view of each RGB image, a random mixture of its channels (RLE's moderate enhancement).
_base_ = ['../backbone.py', '../../_base_/datasets/pipelines_96x48.py']
train_pipeline = {{_base_.small.rle_view}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline), collate_fn=dict(type='tsgan.collate_views'))
