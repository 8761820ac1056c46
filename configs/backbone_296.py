# backbone.py with model selection: trains on 296 identities, keeps the best on the 99 validation identities.
_base_ = [
    './_base_/datasets/sysu_mm01_296.py',
    './_base_/models/reid_resnet50.py',
    './_base_/schedules/reid_adam_120e.py',
    './_base_/default_runtime.py',
]
model = dict(reid=dict(head=dict(num_classes=296)))
default_hooks = dict(checkpoint=dict(save_best='val_single/mAP', rule='greater'))
