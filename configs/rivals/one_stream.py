# Table I, One-Stream (Wu et al. 2017): a small network from scratch on gray images, all of it shared. Rebuilt from the
# paper's description; sampling, epochs and the steps of the learning rate are ours.
_base_ = [
    '../_base_/datasets/sysu_mm01.py',
    '../_base_/models/reid_resnet50.py',
    '../_base_/schedules/reid_sgd_120e.py',
    '../_base_/default_runtime.py',
]
img_scale = (224, 224)
crop_size = (224, 224)
train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.RandomCrop', crop_size=crop_size, padding=22),  # translation by up to 10 %; no flip
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
test_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

model = dict(
    reid=dict(
        encoder=dict(
            mean=[0] * 3,
            std=[255] * 3,  # values in [0, 1]
            backbone=dict(_delete_=True, type='OneStreamResNet', depth=6),
        ),
        head=dict(in_channels=512),
    ),
    losses=dict(loss_id=dict(loss=dict(_delete_=True, type='mmpretrain.CrossEntropyLoss')), loss_tri=None),
)
test_evaluator = dict(normalize=False)
