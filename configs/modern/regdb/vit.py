# ../vit.py on RegDB, for 36 epochs.
_base_ = [
    '../../_base_/datasets/regdb.py',
    '../../_base_/datasets/pipeline_gray.py',
    '../../_base_/models/vit_base.py',
    '../../_base_/schedules/vit_adamw_24e.py',
    '../../_base_/default_runtime.py',
]
model = dict(reid=dict(head=dict(num_classes=206)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=3),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, by_epoch=True, begin=3, end=36),
]
train_cfg = dict(max_epochs=36)
train_dataloader = dict(dataset=dict(pipeline={{_base_.gray_pipeline}}))
custom_hooks = [
    {{_base_.phases}},
    # counts epochs from 1
    dict(type='mmpretrain.SwitchRecipeHook', schedule=[dict(action_epoch=7, train_pipeline={{_base_.train_pipeline}})]),
]
