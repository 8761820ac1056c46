# Table II, row 1: the ReID network alone, on RGB and IR images.
_base_ = [
    '../_base_/datasets/synthetic.py',
    '../_base_/models/reid_small.py',
    '../_base_/schedules/reid_synthetic.py',
    '../_base_/default_runtime.py',
]
