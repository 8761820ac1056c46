# TS-GAN on AGW's network, with AGW's losses: agw.py beside the fake infrared image, the teacher and the discriminators.
_base_ = '../tsgan_jd.py'
model = dict(
    reid=dict(
        encoder=dict(
            backbone=dict(type='TwoStreamResNet', share_from=1, gray=False, non_local=dict(layer2=2, layer3=3))
        ),
        pooling=dict(type='mmpretrain.GeneralizedMeanPooling', p=3.0, p_trainable=False),
        head=dict(bn_neck=True),
    ),
    losses=dict(
        loss_id=dict(loss=dict(_delete_=True, type='mmpretrain.CrossEntropyLoss')),
        loss_tri=dict(loss=dict(_delete_=True, type='WeightedTripletLoss')),
    ),
)
