# AGW on RegDB: ../agw.py with this data set.
_base_ = [
    '../../_base_/datasets/regdb_288x144.py',
    '../../_base_/models/agw_resnet50.py',
    '../../_base_/schedules/reid_sgd_81e.py',
    '../../_base_/default_runtime.py',
]
model = dict(reid=dict(head=dict(num_classes=206)))
