# AGW (Ye et al., "Deep Learning for Person Re-identification: A Survey and Outlook", TPAMI 2021): two stems, non-local
# blocks, GeM, BN neck, cross-entropy and weighted regularised triplet loss; no erasing.
# Not as the published code: the sampler draws an identity's images without replacement where it has enough, all
# identities come before one comes again, and the last checkpoint is tested, not the best on the test set.
_base_ = [
    '../_base_/datasets/sysu_mm01_288x144.py',
    '../_base_/models/agw_resnet50.py',
    '../_base_/schedules/reid_sgd_81e.py',
    '../_base_/default_runtime.py',
]
