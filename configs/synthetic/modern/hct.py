# HcT at the demo's size: as ../../modern/hct.py, with embeddings of length 64; data and schedule are the backbone's. A
# centre is the mean of two images.
_base_ = [
    '../../_base_/datasets/synthetic.py',
    '../../_base_/models/hct_small.py',
    '../../_base_/schedules/reid_synthetic.py',
    '../../_base_/default_runtime.py',
]
model = dict(reid=dict(parts=dict(in_channels=256, num_classes=300, embedding_channels=64)))
