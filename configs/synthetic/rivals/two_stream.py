# Table I, Two-Stream: one_stream.py with a stem and a first stage for each modality.
_base_ = './one_stream.py'
model = dict(reid=dict(encoder=dict(backbone=dict(type='TwoStreamResNet'))))
