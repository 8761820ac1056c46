# HcT (Liu et al., "Parameter Sharing Exploration and Hetero-Center Triplet Loss for Visible-Thermal Person
# Re-Identification", TMM 2021): two streams that meet behind layer1, six stripes, triplets of centres; no erasing.
# Not as the published code: see agw.py.
_base_ = [
    '../_base_/datasets/sysu_mm01_288x144.py',
    '../_base_/models/hct_resnet50.py',
    '../_base_/schedules/reid_sgd_81e.py',
    '../_base_/default_runtime.py',
]
train_dataloader = dict(batch_size=96, batch_sampler=dict(num_pairs=8))  # 6 identities x 8 pairs x 2 modalities
train_cfg = dict(max_epochs=61)
auto_scale_lr = dict(base_batch_size=96)
