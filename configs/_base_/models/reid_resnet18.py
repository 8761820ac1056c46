# A size that two CPU cores train: ResNet-18, and from scratch, hence the BN neck.
_base_ = './reid_resnet50.py'

model = dict(
    reid=dict(
        encoder=dict(backbone=dict(depth=18, init_cfg=None)),
        head=dict(in_channels=512, bn_neck=True),
    )
)
