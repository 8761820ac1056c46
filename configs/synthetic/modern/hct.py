# HcT at the demo's size: as ../../modern/hct.py, with embeddings of length 64; data and schedule are the backbone's. A
# centre is the mean of two images.
_base_ = './agw.py'
model = dict(
    reid=dict(
        encoder=dict(backbone=dict(share_from=2, non_local=None)),
        pooling=None,
        head=None,
        parts=dict(
            type='StripeHeads',
            num_stripes=6,  # of one row each
            in_channels=256,
            num_classes=300,
            embedding_channels=64,
            pooling=dict(type='mmpretrain.GeneralizedMeanPooling', p=3.0, p_trainable=False),
            init_cfg=dict(type='Kaiming', layer='Linear', mode='fan_in'),
        ),
    ),
    losses=dict(
        loss_id=dict(of='parts', loss=dict(loss_weight=6.0)),
        loss_tri=dict(loss=dict(_delete_=True, type='HeteroCentreTripletLoss', margin=0.3)),
        loss_tri_parts=dict(
            type='OnVectors', of='parts', loss=dict(type='HeteroCentreTripletLoss', margin=0.3, loss_weight=6.0)
        ),
    ),
)
