# The ReID network alone, on your own RGB and IR images.
_base_ = [
    '../_base_/datasets/image_folder.py',
    '../_base_/models/reid_mobilenet_v2.py',
    '../_base_/schedules/reid_adam_120e.py',
    '../_base_/default_runtime.py',
]
