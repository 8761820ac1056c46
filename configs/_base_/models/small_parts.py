# Parts of a size that two CPU cores train, for reid_small.py and tsgan_small.py: half as wide a ResNet-18, which begins
# with what configs/synthetic/pretrain.py learned (in place of ImageNet), and a BN neck, which short trainings need.
resnet = dict(depth=18, stem_channels=32, base_channels=32)
student = dict(
    encoder=dict(
        backbone=dict(
            **resnet,
            init_cfg=[dict(type='Kaiming', layer='Conv2d'), dict(type='Constant', val=1, layer='_BatchNorm')],
        ),
        checkpoint='work_dirs/synthetic/pretrain',
        trained_by='configs/synthetic/pretrain.py',
    ),
    head=dict(num_classes=300, in_channels=256, bn_neck=True),
)
teacher = dict(
    encoder=dict(
        backbone=resnet, checkpoint='work_dirs/synthetic/teacher_ir', trained_by='configs/synthetic/teacher_ir.py'
    )
)
