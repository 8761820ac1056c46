# Table I: LOMO of 128 x 48 images, with XQDA. The table's row is said to learn its metric by CDFE; XQDA, which LOMO was
# published with, is a substitute.
_base_ = ['../_base_/datasets/sysu_mm01.py', '../_base_/models/lomo_xqda.py', '../_base_/schedules/one_pass.py']

img_scale = (48, 128)  # width, height
test_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
train_pipeline = test_pipeline

train_dataloader = dict(dataset=dict(pipeline=train_pipeline), batch_sampler=None)  # every image once
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_evaluator = dict(
    normalize=False,  # the metric is Euclidean between projections as they are
    training_identities='train+val (395), up to 10 images of each in each modality',
)
