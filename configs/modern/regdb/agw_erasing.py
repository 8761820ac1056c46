# agw.py with random gray and random erasing, each of half of the images of either modality, and nothing else.
_base_ = './agw.py'
train_pipeline = {{_base_.large.erasing}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
