# Table II, row 1: the ReID network alone, on RGB and IR images.
_base_ = [
    './_base_/datasets/sysu_mm01.py',
    './_base_/models/reid_resnet50.py',
    './_base_/schedules/reid_adam_120e.py',
    './_base_/default_runtime.py',
]
