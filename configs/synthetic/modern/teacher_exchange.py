# TS-GAN without its GAN: CAJ's channel exchange in the place of the fake infrared image, teacher and losses as in
# ../tsgan_jd_sum.py.
_base_ = [
    '../../_base_/datasets/synthetic.py',
    '../../_base_/datasets/pipelines_96x48.py',
    '../../_base_/models/teacher_small.py',
    '../../_base_/schedules/reid_synthetic.py',
    '../../_base_/default_runtime.py',
]
train_pipeline = {{_base_.small.exchange_view}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline), collate_fn=dict(type='tsgan.collate_views'))
model = dict(
    loss_ts_cd=dict(reduction='sum'), loss_ts_real_ir=dict(reduction='sum'), loss_ts_fake_ir=dict(reduction='sum')
)
