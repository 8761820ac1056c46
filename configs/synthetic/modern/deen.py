# DEEN at the demo's size: as ../../modern/deen.py; data and schedule are the backbone's, with gray and erasing. MFA and
# DEE say nothing at this size: it runs, and is not to be ranked.
_base_ = [
    '../../_base_/datasets/synthetic.py',
    '../../_base_/models/deen_small.py',
    '../../_base_/schedules/reid_synthetic.py',
    '../../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale={{_base_.img_scale}}),
    dict(type='RandomGrayscale', prob=0.5, keep_channels=True, channel_weights=(0.114, 0.587, 0.299)),  # luma, BGR
    dict(type='mmpretrain.RandomCrop', crop_size={{_base_.crop_size}}, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(
        type='mmpretrain.RandomErasing',
        erase_prob=0.5,
        min_area_ratio=0.2,
        max_area_ratio=0.8,
        fill_color=(127, 142, 152),  # BGR
    ),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_evaluator = dict(features={{_base_.six_features}}, mirror=True)  # as its authors test
# the network at a tenth of the rate, as the paper has it: at the demo's, all V become one within 250 iterations
optim_wrapper = dict(reid=dict(paramwise_cfg=dict(custom_keys=dict(encoder=dict(lr_mult=0.1)))))
