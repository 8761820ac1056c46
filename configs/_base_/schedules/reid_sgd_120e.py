# Wu et al. 2017; epochs and the step are ours.
optim_wrapper = dict(
    constructor='PerModuleOptimWrapperConstructor',
    reid=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4)),
)
param_scheduler = [dict(type='MultiStepLR', milestones=[80], gamma=0.1, by_epoch=True)]
train_cfg = dict(type='ResumableTrainLoop', max_epochs=120, val_interval=10)
auto_scale_lr = dict(base_batch_size=64, enable=False)
