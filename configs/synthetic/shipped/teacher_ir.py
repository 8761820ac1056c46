# The IR teacher of the shipped model: start.py, trained on with IR images alone.
_base_ = './start.py'
load_from = 'work_dirs/shipped/start'
train_dataloader = dict(dataset=dict(modality='ir'), batch_sampler=dict(num_batches=100))
test_evaluator = dict(protocol=dict(_delete_=True, type='SingleModalityProtocol', modality='ir'))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=10, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=10)
