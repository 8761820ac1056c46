# ../tsgan_jd_sum.py with agw_erasing.py's random gray and random erasing, and nothing else.
_base_ = ['../tsgan_jd_sum.py', '../../_base_/datasets/pipelines_96x48.py']
train_pipeline = {{_base_.small.erasing}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
