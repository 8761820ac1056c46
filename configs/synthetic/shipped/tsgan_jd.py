# The shipped model, `tsgan-jd_small_synthetic`: ../tsgan_jd_sum.py on 1,800 people of other render seeds, four times as
# long (tools/make_weights.py).
_base_ = '../tsgan_jd_sum.py'
data_root = 'data/shipped'
trained_by = 'tools/make_weights.py'

model = dict(
    reid=dict(encoder=dict(checkpoint='work_dirs/shipped/start', trained_by=trained_by), head=dict(num_classes=1800)),
    teacher=dict(encoder=dict(checkpoint='work_dirs/shipped/teacher_ir', trained_by=trained_by)),
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ImageFolderReID',
        data_root=data_root,
        split_file='split.json',
        pipeline={{_base_.train_pipeline}},
    )
)
test_evaluator = dict(training_identities='1,800 of other render seeds, last checkpoint')
optim_wrapper = dict(reid=dict(optimizer=dict(lr=1e-3)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=40, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=40)
