# Two stages of ADCA and PGM in one training: 50 epochs within modalities, 50 with matched clusters, each with its own
# course of the rate, x 0.1 from its epochs 20 and 40.
# Not as the published code: the second stage goes on with the first one's last weights and Adam's moments, not with the
# best on the test set and none.
optim_wrapper = dict(
    constructor='PerModuleOptimWrapperConstructor',
    reid=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=3.5e-4, weight_decay=5e-4)),
)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[20, 40, 70, 90], gamma=0.1, by_epoch=True),
    dict(type='MultiStepLR', milestones=[50], gamma=100, by_epoch=True),  # back to lr
]
train_cfg = dict(type='ResumableTrainLoop', max_epochs=100)
auto_scale_lr = dict(base_batch_size=512, enable=False)
