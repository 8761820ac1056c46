# Table I, distance based training (Tekeli and Can 2019): identities classified by distance to a centre each, which both
# modalities share. Rebuilt from the idea; network, data and schedule are those of backbone.py, tau is ours. Without the
# line `losses.loss_tri=None`, the triplet loss joins it.
_base_ = '../backbone.py'
model = dict(
    reid=dict(head=dict(type='DistanceHead', tau=1.0)),
    losses=dict(loss_id=dict(loss=dict(_delete_=True, type='mmpretrain.CrossEntropyLoss')), loss_tri=None),
)
test_evaluator = dict(normalize=False)
