# HcT's network (Liu et al., TMM 2021): stems and layer1 apart, layer2 to layer4 shared; six stripes of the map, each
# with GeM, an embedding of length 256 and a classifier; no head of the whole. Losses are sums over stripes there and
# means here: hence the weights of 6.
_base_ = './agw_resnet50.py'

model = dict(
    reid=dict(
        encoder=dict(backbone=dict(share_from=2, non_local=None)),
        pooling=None,
        head=None,
        parts=dict(
            type='StripeHeads',
            num_stripes=6,
            in_channels=2048,
            num_classes=395,
            embedding_channels=256,
            pooling=dict(type='mmpretrain.GeneralizedMeanPooling', p=3.0, p_trainable=False),
            init_cfg=dict(type='Kaiming', layer='Linear', mode='fan_in'),  # of embeddings; heads have their own
        ),
    ),
    losses=dict(
        loss_id=dict(of='parts', loss=dict(loss_weight=6.0)),
        loss_tri=dict(loss=dict(_delete_=True, type='HeteroCentreTripletLoss', margin=0.3)),  # all stripes joined
        loss_tri_parts=dict(
            type='OnVectors', of='parts', loss=dict(type='HeteroCentreTripletLoss', margin=0.3, loss_weight=6.0)
        ),
    ),
)
