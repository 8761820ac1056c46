# MPANet on RegDB: ../mpanet.py with this data set, smaller images, other batches and one step of the rate.
_base_ = [
    '../../_base_/datasets/regdb.py',
    '../../_base_/models/mpanet_resnet50.py',
    '../../_base_/schedules/reid_adam_120e.py',
    '../../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale={{_base_.img_scale}}),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmpretrain.RandomCrop', crop_size={{_base_.crop_size}}, padding=10, pad_val=127),
    dict(
        type='mmpretrain.RandomErasing',  # as torchvision.transforms.RandomErasing after normalisation, with zeros
        erase_prob=0.5,
        max_area_ratio=0.33,
        aspect_range=(0.3, 3.3),
        fill_color=(104, 116, 124),  # the mean, BGR
    ),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
train_dataloader = dict(
    batch_size=120,  # 12 identities x 5 pairs x 2 modalities
    batch_sampler=dict(num_pairs=5),
    dataset=dict(pipeline=train_pipeline),
)
model = dict(reid=dict(head=dict(num_classes=206)))
param_scheduler = [dict(type='MultiStepLR', milestones=[110], gamma=0.1, by_epoch=True)]
train_cfg = dict(max_epochs=140)
auto_scale_lr = dict(base_batch_size=120)
