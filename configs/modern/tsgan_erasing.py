# ../tsgan_jd.py with random gray and random erasing, each of half of the images of either modality, and nothing else.
_base_ = ['../tsgan_jd.py', '../_base_/datasets/pipelines_256x128.py']
train_pipeline = {{_base_.middle.erasing}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
