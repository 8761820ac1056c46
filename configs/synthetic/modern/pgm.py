# PGM's assignment and memories at the demo's size, on the network and images of adca.py.
_base_ = './adca.py'
model = dict(losses=dict(loss_memory=dict(momentum=0.2, use_hard=True)))
custom_hooks = [
    dict(type='PseudoLabelHook', method='pgm', matching_from=5, eps=0.5, pipeline={{_base_.test_pipeline}}),
]
