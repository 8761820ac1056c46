# Ten epochs of 50 iterations: minutes on two CPU cores.
optim_wrapper = dict(
    constructor='PerModuleOptimWrapperConstructor',
    reid=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-3, weight_decay=5e-4)),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=10, convert_to_iter_based=True),
]
train_cfg = dict(type='ResumableTrainLoop', max_epochs=10)
auto_scale_lr = dict(base_batch_size=32, enable=False)
