# HcT on RegDB: ../hct.py with this data set, 8 identities x 4 pairs, a sharper GeM, soft labels, and twice the weight
# of the stripes' own triplets.
# Decided here: soft labels, which the switch of the published script turns on in one of its versions and off in the
# other.
_base_ = [
    '../../_base_/datasets/regdb_288x144.py',
    '../../_base_/models/hct_resnet50.py',
    '../../_base_/schedules/reid_sgd_81e.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    reid=dict(
        parts=dict(
            num_classes=206,
            # 0.063^10 is the 1e-12 that the published code adds to the mean of the powers; those of the default, 1e-6,
            # are 0 in float32, and the gradient of the root NaN
            pooling=dict(p=10.0, eps=0.063),
        )
    ),
    losses=dict(
        loss_id=dict(
            loss=dict(
                _delete_=True, type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1, mode='original', loss_weight=6.0
            )
        ),
        loss_tri_parts=dict(loss=dict(loss_weight=12.0)),
    ),
)
train_cfg = dict(max_epochs=61)
