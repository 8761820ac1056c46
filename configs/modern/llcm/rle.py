# RLE on LLCM: ../rle.py with this data set, and half of all images made gray first.
_base_ = [
    '../../_base_/datasets/llcm.py',
    '../../_base_/datasets/pipelines_384x192.py',
    '../../_base_/models/rle_resnet50.py',
    '../../_base_/schedules/reid_sgd_151e.py',
    '../../_base_/default_runtime.py',
]
img_scale = {{_base_.high.scale}}
crop_size = {{_base_.high.crop_size}}
train_pipeline = {{_base_.high.train_gray}}
test_pipeline = {{_base_.high.test}}
train_dataloader = dict(batch_size=48, dataset=dict(pipeline=train_pipeline))  # 6 identities x 4 pairs x 2 modalities
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
model = dict(reid=dict(head=dict(num_classes=713), parts=dict(num_classes=713)))
test_evaluator = dict(mirror=True)  # as its authors test
