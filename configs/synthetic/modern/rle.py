# RLE at the demo's size: as ../../modern/rle.py. **The renderer's own physics**: it makes infrared images by one factor
# a material, the model that the enhancements are derived from. What they bring here says little of real images.
_base_ = [
    '../../_base_/datasets/synthetic.py',
    '../../_base_/models/rle_small.py',
    '../../_base_/schedules/reid_synthetic.py',
    '../../_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale={{_base_.img_scale}}),
    dict(type='mmpretrain.RandomCrop', crop_size={{_base_.crop_size}}, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='ModerateRLE', prob=0.5, beta=0.3),
    dict(type='RadicalRLE', prob=0.5, beta=0.4, least=0.1),
    dict(type='mmpretrain.RandomErasing', erase_prob=0.5, fill_color=(114, 123, 125)),  # BGR
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

model = dict(reid=dict(parts=dict(in_channels=256, num_classes=300)))
test_evaluator = dict(mirror=True)  # as its authors test
