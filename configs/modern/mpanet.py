# MPANet (Wu et al., "Discover Cross-Modality Nuances for Visible-Infrared Person Re-Identification", CVPR 2021). The
# published code trains in mixed precision: `--amp`.
# Not as the published code: see agw.py; the rate of the averaged classifiers stays 0.2 after epoch 99, too.
_base_ = [
    '../_base_/datasets/sysu_mm01.py',
    '../_base_/models/mpanet_resnet50.py',
    '../_base_/schedules/reid_adam_120e.py',
    '../_base_/default_runtime.py',
]
img_scale = (128, 384)
crop_size = (384, 128)
train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmpretrain.RandomCrop', crop_size=crop_size, padding=10, pad_val=127),
    dict(
        type='mmpretrain.RandomErasing',  # as torchvision.transforms.RandomErasing after normalisation, with zeros
        erase_prob=0.5,
        max_area_ratio=0.33,
        aspect_range=(0.3, 3.3),
        fill_color=(104, 116, 124),  # the mean, BGR
    ),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
test_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))  # 16 identities x 4 pairs x 2 modalities
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
param_scheduler = [dict(type='MultiStepLR', milestones=[80, 120], gamma=0.1, by_epoch=True)]
train_cfg = dict(max_epochs=140)
auto_scale_lr = dict(base_batch_size=128)
