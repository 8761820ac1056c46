# AGW (Ye et al., TPAMI 2021): a stem for each modality, non-local blocks, GeM, weighted regularised triplet loss.
_base_ = './reid_resnet50.py'

model = dict(
    reid=dict(
        encoder=dict(
            backbone=dict(
                type='TwoStreamResNet',
                share_from=1,  # the stems alone are apart
                gray=False,
                non_local=dict(layer2=2, layer3=3),  # behind the last half of their blocks, with C' = 1
            )
        ),
        pooling=dict(type='mmpretrain.GeneralizedMeanPooling', p=3.0, p_trainable=False),
        head=dict(
            bn_neck=True,
            init_cfg=[
                dict(type='Normal', layer='BatchNorm1d', mean=1, std=0.01),
                dict(type='Normal', layer='Linear', std=0.001),
            ],
        ),
    ),
    losses=dict(
        loss_id=dict(_delete_=True, type='OnLogits', loss=dict(type='mmpretrain.CrossEntropyLoss')),
        loss_tri=dict(_delete_=True, type='OnVectors', loss=dict(type='WeightedTripletLoss')),
    ),
)
