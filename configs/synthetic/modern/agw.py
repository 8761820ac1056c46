# AGW (Ye et al. 2021): two stems, non-local blocks, GeM, weighted regularised triplet loss; data and schedule are the
# backbone's. Non-local blocks behind the last half of layer2 and layer3, as in the ResNet-50; they begin as the
# identity, which pretrain.py does not train.
_base_ = [
    '../../_base_/datasets/synthetic.py',
    '../../_base_/models/agw_small.py',
    '../../_base_/schedules/reid_synthetic.py',
    '../../_base_/default_runtime.py',
]
