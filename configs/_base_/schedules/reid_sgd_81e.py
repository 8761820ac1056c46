# The training that AGW (Ye et al. 2021) and most methods after it share: SGD, the network at a tenth of the rate of BN
# neck and classifier, ten epochs of warm-up, x 0.1 from epoch 20 and again from epoch 50.
optim_wrapper = dict(
    constructor='PerModuleOptimWrapperConstructor',
    reid=dict(
        type='OptimWrapper',
        optimizer=dict(type='SGD', lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
        paramwise_cfg=dict(custom_keys=dict(encoder=dict(lr_mult=0.1))),
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=10),  # 0.1, 0.2 ... 1.0 of lr
    dict(type='MultiStepLR', milestones=[20, 50], gamma=0.1, by_epoch=True),
]
train_cfg = dict(type='ResumableTrainLoop', max_epochs=81, val_interval=10)
auto_scale_lr = dict(base_batch_size=64, enable=False)
