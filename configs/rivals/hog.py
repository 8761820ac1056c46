# Table I: HOG of 128 x 64 gray images, compared by Euclidean distance (the metric is a reconstruction). Nothing is
# learned: training looks at one batch, and writes a checkpoint without weights for tools/test.py.
_base_ = ['../_base_/datasets/sysu_mm01.py', '../_base_/models/hog.py', '../_base_/schedules/one_pass.py']

img_scale = (64, 128)  # width, height
test_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
train_pipeline = test_pipeline

train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline), batch_sampler=dict(num_batches=1))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_evaluator = dict(normalize=False, training_identities='none')
