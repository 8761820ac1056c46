# Your own images at the size of the synthetic rows, which two CPU cores train.
_base_ = './image_folder.py'
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
    batch_size=32,  # 8 identities x 2 pairs x 2 modalities; of one modality, 16 identities x 2 images
    dataset=dict(pipeline=train_pipeline),
    batch_sampler=dict(num_pairs=2, num_batches=50),
)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
