# SYSU-MM01 with model selection: trains on the 296 training identities, validates on the 99 validation identities,
# which cameras 3, 4 and 5 alone saw. A config on top keeps the best with
# `default_hooks = dict(checkpoint=dict(save_best='val_single/mAP', rule='greater'))`.
_base_ = './sysu_mm01.py'

train_dataloader = dict(dataset=dict(split='train'))
val_dataloader = dict(
    batch_size=128,
    num_workers=4,
    persistent_workers=False,
    dataset=dict(
        type='SYSUMM01',
        data_root={{_base_.data_root}},
        split='val',
        pipeline={{_base_.test_pipeline}},
        test_mode=True,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    worker_init_fn=dict(type='tsgan.seed_worker'),
)
val_cfg = dict(type='ValLoop')
val_evaluator = dict(
    type='ReIDMetric',
    protocol=dict(
        type='SYSUMM01Protocol',
        modes=['val'],
        shots=[1],
        perm_file={{_base_.test_evaluator.protocol.perm_file}},
    ),
    training_identities='train (296), best on val',
)
test_evaluator = dict(training_identities='train (296), best on val')
