# The ReID network alone, on RGB and IR images of RegDB.
_base_ = [
    '../_base_/datasets/regdb.py',
    '../_base_/models/reid_resnet50.py',
    '../_base_/schedules/reid_adam_120e.py',
    '../_base_/default_runtime.py',
]
model = dict(reid=dict(head=dict(num_classes=206)))
