# Table I, distance based training, with the demo's network, data and schedule.
_base_ = '../backbone.py'
model = dict(
    reid=dict(head=dict(type='DistanceHead', tau=1.0)),
    losses=dict(loss_id=dict(loss=dict(_delete_=True, type='mmpretrain.CrossEntropyLoss')), loss_tri=None),
)
test_evaluator = dict(normalize=False)
