# PMT's training (Lu et al. 2023): AdamW, patch embedding and blocks at half the rate; three epochs of warm-up from 0.01
# of it, then a cosine back to that. MSEL and DCL count from epoch 6 (0-based) on.
optim_wrapper = dict(
    constructor='PerModuleOptimWrapperConstructor',
    reid=dict(
        type='OptimWrapper',
        optimizer=dict(type='AdamW', lr=3e-4, weight_decay=1e-4),
        paramwise_cfg=dict(
            custom_keys={'backbone.patch_embed': dict(lr_mult=0.5), 'backbone.layers': dict(lr_mult=0.5)}
        ),
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end=3),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, by_epoch=True, begin=3, end=24),
]
train_cfg = dict(type='ResumableTrainLoop', max_epochs=24, val_interval=10)
phases = dict(type='AlternatingPhasesHook', phases=['reid'], terms={'reid/loss_msel': 6, 'reid/loss_dcl': 6})
custom_hooks = [phases]
auto_scale_lr = dict(base_batch_size=64, enable=False)
