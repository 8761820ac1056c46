# The paper's training of the ReID network, Sec. IV-B.
optim_wrapper = dict(
    constructor='PerModuleOptimWrapperConstructor',
    reid=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=3.5e-4, weight_decay=5e-4)),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=10),  # 0.1, 0.2 ... 1.0 of lr
    dict(type='MultiStepLR', milestones=[40, 70], gamma=0.3, by_epoch=True),
]
train_cfg = dict(type='ResumableTrainLoop', max_epochs=120, val_interval=10)
auto_scale_lr = dict(base_batch_size=64, enable=False)
