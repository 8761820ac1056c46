# Rendered by tools/dataset_tools/render_synthetic.py in SYSU-MM01's layout: the same class, protocol and sampling.
_base_ = './sysu_mm01.py'
data_root = 'data/synthetic'
img_scale = (48, 96)  # width, height
crop_size = (96, 48)  # height, width

train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.RandomCrop', crop_size=crop_size, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
test_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]

train_dataloader = dict(
    batch_size=32,  # 8 identities x 2 pairs x 2 modalities
    num_workers=1,
    dataset=dict(data_root=data_root, split='train', pipeline=train_pipeline),
    batch_sampler=dict(num_pairs=2, num_batches=50),
)
test_dataloader = dict(batch_size=256, num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_evaluator = dict(
    protocol=dict(perm_file=f'{data_root}/exp/rand_perm_cam.mat'),
    training_identities='train of the synthetic set, last checkpoint',
)
