# DEEN's: as reid_sgd_151e.py without its last step, which the published code has too, and never comes to.
_base_ = './reid_sgd_151e.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=10),
    dict(type='MultiStepLR', milestones=[20, 80], gamma=0.1, by_epoch=True),
]
