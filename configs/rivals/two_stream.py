# Table I, Two-Stream (Wu et al. 2017): one_stream.py with a stem and a first stage for each modality. Where the streams
# meet, and that both see gray images, is ours.
_base_ = './one_stream.py'
model = dict(reid=dict(encoder=dict(backbone=dict(type='TwoStreamResNet'))))
