# RLE at the demo's size: as ../../modern/rle.py. **The renderer's own physics**: it makes infrared images by one factor
# a material, the model that the enhancements are derived from. What they bring here says little of real images.
_base_ = './agw.py'
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

model = dict(
    reid=dict(
        encoder=dict(backbone=dict(non_local=None)),
        pooling=None,
        parts=dict(
            type='StripeHeads',
            num_stripes=3,
            in_channels=256,
            num_classes=300,
            bn_neck=True,
            init_cfg=dict(type='Normal', layer='BatchNorm1d', mean=1, std=0.01),
        ),
    ),
    losses=dict(
        loss_id=dict(of='both'),
        loss_tri=dict(of='both', loss=dict(_delete_=True, type='BatchHardTripletLoss', margin=0.3)),
    ),
)
test_evaluator = dict(mirror=True)  # as its authors test
