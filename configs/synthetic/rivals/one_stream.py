# Table I, One-Stream, with the demo's network, data and schedule: backbone.py on gray images, with cross-entropy alone.
_base_ = '../backbone.py'
model = dict(
    reid=dict(encoder=dict(backbone=dict(type='OneStreamResNet'))),
    losses=dict(loss_id=dict(loss=dict(_delete_=True, type='mmpretrain.CrossEntropyLoss')), loss_tri=None),
)
test_evaluator = dict(normalize=False)
