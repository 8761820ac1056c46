# The backbone with a second view of each RGB image, one of its channels in the place of all (CAJ's channel exchange).
_base_ = ['../backbone.py', '../../_base_/datasets/pipelines_96x48.py']
train_pipeline = {{_base_.small.exchange_view}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline), collate_fn=dict(type='tsgan.collate_views'))
