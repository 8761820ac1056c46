# The 151 epochs of RLE: as reid_sgd_81e.py, but x 0.1 from epochs 20, 80 and 120; batches of 6 identities x 4 pairs.
_base_ = './reid_sgd_81e.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=10),
    dict(type='MultiStepLR', milestones=[20, 80, 120], gamma=0.1, by_epoch=True),
]
train_cfg = dict(max_epochs=151)
auto_scale_lr = dict(base_batch_size=48)
