# Your own images, `rgb/<identity>/*` and `ir/<identity>/*`: half of the identities to train on, half to test on, or as
# a split file has it (`split_file='split.json'` in both data sets; see tsgan.datasets.ImageFolderReID).
_base_ = './sysu_mm01.py'  # loaders
data_root = 'data/images'
img_scale = (64, 128)  # width, height
crop_size = (128, 64)  # height, width

train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.RandomCrop', crop_size=crop_size, padding=5),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
test_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]

train_dataloader = dict(
    dataset=dict(_delete_=True, type='ImageFolderReID', data_root=data_root, split='train', pipeline=train_pipeline)
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ImageFolderReID',
        data_root=data_root,
        split='test',
        pipeline=test_pipeline,
        test_mode=True,
    )
)
test_evaluator = dict(
    protocol=dict(_delete_=True, type='CrossModalityProtocol'),  # IR -> RGB and RGB -> IR
    training_identities='train split, last checkpoint',
)
