# The shipped model, `tsgan-jd_small_synthetic`: ../tsgan_jd_sum.py on people of other render seeds, six times as many,
# from a longer start, five times as long (tools/make_weights.py).
_base_ = '../tsgan_jd_sum.py'
people_root = 'data/shipped'  # `data_root` is that of the test
load_from = 'work_dirs/shipped/start'

model = dict(
    reid=dict(encoder=dict(checkpoint=None), head=dict(num_classes=1800)),
    teacher=dict(encoder=dict(checkpoint='work_dirs/shipped/teacher_ir', trained_by='tools/make_weights.py')),
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ImageFolderReID',
        data_root=people_root,
        split_file='split.json',
        pipeline={{_base_.train_pipeline}},
    )
)
test_evaluator = dict(training_identities='1,800 of other render seeds, last checkpoint')
optim_wrapper = dict(reid=dict(optimizer=dict(lr=5e-4)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=50, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=50)
