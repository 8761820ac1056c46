# MPANet (Wu et al., CVPR 2021): one stream, MAM, six masks that find parts, and classifiers of each modality that learn
# from each other's average.
_base_ = './reid_resnet50.py'

model = dict(
    reid=dict(
        type='MPANet',
        num_parts=6,
        encoder=dict(backbone=dict(type='MAMResNet')),
        head=dict(in_channels=7 * 2048, bn_neck=True, init_cfg=None),  # torch's own start, as of the other classifiers
    ),
    losses=dict(
        loss_id=dict(_delete_=True, type='OnLogits', loss=dict(type='mmpretrain.CrossEntropyLoss')),
        loss_tri=None,
        loss_centre=dict(type='OnVectors', loss=dict(type='CentreClusterLoss', margin=0.7)),
        loss_overlap=dict(type='MaskOverlapLoss', loss_weight=0.5),
        loss_modality_id=dict(type='ModalityIdentityLoss', loss_weight=1.0),  # 0.5 in the code, which adds it twice
        loss_agreement=dict(type='ModalityAgreementLoss', loss_weight=2.5),
    ),
)
