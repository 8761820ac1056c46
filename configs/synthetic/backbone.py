_base_ = [
    '../_base_/datasets/synthetic.py',
    '../_base_/models/reid_resnet18.py',
    '../_base_/schedules/reid_synthetic.py',
    '../_base_/default_runtime.py',
]
model = dict(
    reid=dict(encoder=dict(backbone=dict(base_channels=32, stem_channels=32)), head=dict(num_classes=200, in_channels=256)),
)
