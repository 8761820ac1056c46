# Table I, Zero-Padding (Wu et al. 2017): one_stream.py with an input channel for each modality, zeros in that of the
# other. Its authors' own run of it: R1 16.71, R10 58.46, R20 76.12, mAP 19.10.
_base_ = './one_stream.py'
model = dict(reid=dict(encoder=dict(backbone=dict(type='ZeroPaddingResNet'))))
