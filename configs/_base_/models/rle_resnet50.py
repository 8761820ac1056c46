# RLE's network (NeurIPS 2024): two stems, one ResNet; the whole map and three stripes of it, each with average, BN neck
# and classifier. Losses are those of the whole plus the mean over stripes; what is compared is all four, joined.
_base_ = './agw_resnet50.py'

model = dict(
    reid=dict(
        encoder=dict(backbone=dict(non_local=None)),
        pooling=None,
        parts=dict(
            type='StripeHeads',
            num_stripes=3,
            in_channels=2048,
            num_classes=395,
            bn_neck=True,
            init_cfg=dict(type='Normal', layer='BatchNorm1d', mean=1, std=0.01),
        ),
    ),
    losses=dict(
        loss_id=dict(of='both'),
        loss_tri=dict(of='both', loss=dict(_delete_=True, type='BatchHardTripletLoss', margin=0.3)),
    ),
)
