# DEEN (Zhang and Wang, CVPR 2023): two stems; each stage's map takes from the one before (MFA); before the last stage,
# two branches add two rows to each image's (DEE).
_base_ = './reid_resnet50.py'

model = dict(
    reid=dict(
        type='DEENNet',
        encoder=dict(backbone=dict(type='DEENResNet')),
        head=dict(
            bn_neck=True,
            init_cfg=[
                dict(type='Normal', layer='BatchNorm1d', mean=1, std=0.01),
                dict(type='Normal', layer='Linear', std=0.001),
            ],
        ),
    ),
    losses=dict(  # of all three rows, beside the batch-hard triplet loss
        loss_id=dict(_delete_=True, type='OnLogits', loss=dict(type='mmpretrain.CrossEntropyLoss')),
        loss_cpm=dict(type='OnVectors', loss=dict(type='CentreGuidedPairMiningLoss', margin=0.2, loss_weight=0.8)),
        loss_ort=dict(type='OnVectors', loss=dict(type='OrthogonalityLoss', loss_weight=0.01)),
    ),
)
# What the paper compares: the sum of the cosines of these. All six come from one pass.
six_features = [f'{place}_neck{block}' for block in ('', '_1', '_2') for place in ('before', 'after')]
