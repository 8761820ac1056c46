# DEEN on RegDB: ../deen.py with this data set, without layer4, and with less of an image erased.
_base_ = [
    '../../_base_/datasets/regdb.py',
    '../../_base_/datasets/pipelines_384x144.py',
    '../../_base_/models/deen_resnet50.py',
    '../../_base_/schedules/deen_sgd_151e.py',
    '../../_base_/default_runtime.py',
]
img_scale = {{_base_.tall.scale}}
crop_size = {{_base_.tall.crop_size}}
train_pipeline = {{_base_.tall.train}}
test_pipeline = {{_base_.tall.test}}
train_dataloader = dict(batch_size=48, dataset=dict(pipeline=train_pipeline))  # 6 identities x 4 pairs x 2 modalities
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_evaluator = dict(features={{_base_.six_features}}, mirror=True)  # as its authors test
model = dict(
    reid=dict(
        encoder=dict(backbone=dict(strides=(1, 2, 2), out_indices=(1, 2))),  # DEE before layer3
        head=dict(num_classes=206, in_channels=1024),
    )
)
