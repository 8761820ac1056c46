# Table I, Zero-Padding: one_stream.py with an input channel for each modality, zeros in that of the other.
_base_ = './one_stream.py'
model = dict(reid=dict(encoder=dict(backbone=dict(type='ZeroPaddingResNet'))))
