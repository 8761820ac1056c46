# SYSU-MM01 as published results train on it: all 395 training and validation identities, no validation, hence no
# model selection: only `tools/test.py` sees the test identities. `sysu_mm01_296.py` is the variant that selects.
data_root = 'data/SYSU-MM01'

# A config that inherits from this one and wants another size writes `train_pipeline` and `test_pipeline` anew: MMEngine
# evaluates a base file before it merges the differences. `--cfg-options img_scale=(64,128) crop_size=(128,64)` reaches
# all pipelines.
img_scale = (128, 256)  # width, height of the network's input, as mmcv's Resize has it
crop_size = (256, 128)  # height, width of the same, as mmpretrain's RandomCrop has it

# Every image is augmented by itself: the RGB and the IR image of a pair share the identity, not the geometry.
meta_keys = ('img_path', 'pid', 'camid', 'modality', 'frame')
train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.RandomCrop', crop_size=crop_size, padding=10),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmpretrain.PackInputs', meta_keys=meta_keys),
]
test_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.PackInputs', meta_keys=meta_keys),
]

train_dataloader = dict(
    batch_size=64,  # images of one GPU: 8 identities x 4 pairs x 2 modalities
    num_workers=4,  # and no more than this process has cores, unless --cfg-options says so
    persistent_workers=False,  # workers that live on keep the seed of their first epoch
    dataset=dict(type='SYSUMM01', data_root=data_root, split='train+val', pipeline=train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='IdentityPairBatchSampler', num_pairs=4),
    collate_fn=dict(type='default_collate'),
    worker_init_fn=dict(type='tsgan.seed_worker'),
)

# Probes and galleries of all four settings; the protocol picks them from one pass over the test images.
test_dataloader = dict(
    batch_size=128,
    num_workers=4,
    persistent_workers=False,
    dataset=dict(type='SYSUMM01', data_root=data_root, split='test', pipeline=test_pipeline, test_mode=True),
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    worker_init_fn=dict(type='tsgan.seed_worker'),
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(
    type='ReIDMetric',
    protocol=dict(type='SYSUMM01Protocol', perm_file=f'{data_root}/exp/rand_perm_cam.mat'),
    training_identities='train+val (395), last checkpoint',
)
