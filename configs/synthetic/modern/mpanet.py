# MPANet at the demo's size: as ../../modern/mpanet.py; data and schedule are the backbone's, with erasing.
_base_ = [
    '../../_base_/datasets/synthetic.py',
    '../../_base_/models/mpanet_small.py',
    '../../_base_/schedules/reid_synthetic.py',
    '../../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale={{_base_.img_scale}}),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmpretrain.RandomCrop', crop_size={{_base_.crop_size}}, padding=4, pad_val=127),
    dict(
        type='mmpretrain.RandomErasing',  # as torchvision.transforms.RandomErasing after normalisation, with zeros
        erase_prob=0.5,
        max_area_ratio=0.33,
        aspect_range=(0.3, 3.3),
        fill_color=(104, 116, 124),  # the mean, BGR
    ),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
