_base_ = ['./sysu_mm01.py', './pipelines_288x144.py']

img_scale = {{_base_.large.scale}}
crop_size = {{_base_.large.crop_size}}
train_pipeline = {{_base_.large.train}}
test_pipeline = {{_base_.large.test}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
