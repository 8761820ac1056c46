# RLE on RegDB: ../rle.py with this data set, half of all images made gray first, and no layer4.
_base_ = [
    '../../_base_/datasets/regdb.py',
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
model = dict(
    reid=dict(
        encoder=dict(backbone=dict(strides=(1, 2, 2), out_indices=(1, 2))),  # without layer4
        head=dict(num_classes=206, in_channels=1024),
        parts=dict(num_classes=206, in_channels=1024),
    )
)
test_evaluator = dict(mirror=True)  # as its authors test
