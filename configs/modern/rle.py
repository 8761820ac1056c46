# RLE ("RLE: A Unified Perspective of Data Augmentation for Cross-Spectral Re-Identification", NeurIPS 2024): moderate
# and radical random linear enhancement, random erasing, and a network with three stripes.
# Not as the published code: see agw.py and _base_/datasets/pipelines_384x192.py.
# Decided here: values are rounded to eight bits; a rectangle that is black in a channel stays so, where the published
# code divides by zero; only the joined features after the necks are compared.
_base_ = [
    '../_base_/datasets/sysu_mm01.py',
    '../_base_/datasets/pipelines_384x192.py',
    '../_base_/models/rle_resnet50.py',
    '../_base_/schedules/reid_sgd_151e.py',
    '../_base_/default_runtime.py',
]
img_scale = {{_base_.high.scale}}
crop_size = {{_base_.high.crop_size}}
train_pipeline = {{_base_.high.train}}
test_pipeline = {{_base_.high.test}}
train_dataloader = dict(batch_size=48, dataset=dict(pipeline=train_pipeline))  # 6 identities x 4 pairs x 2 modalities
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_evaluator = dict(mirror=True)  # as its authors test
