# Table I: AlignGAN (Wang et al. 2019), a ReID network of IR images, real ones and those that a generator makes of RGB
# images; **at test too**: the generator runs on the RGB gallery. Not the source's: generators and discriminators train
# on the first pairs of the ReID network's batch, and parts that a phase does not train are in eval mode while it runs.
_base_ = ['../_base_/datasets/sysu_mm01.py', '../_base_/models/align_gan_resnet50.py', '../_base_/default_runtime.py']

# The GAN's images; `reid_size` of the model is the ReID network's.
train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=(128, 128), interpolation='bicubic', backend='pillow'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
test_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=(128, 128), interpolation='bicubic', backend='pillow'),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
train_dataloader = dict(
    batch_size=144,  # 18 identities x 4 pairs x 2 modalities
    dataset=dict(pipeline=train_pipeline),
    batch_sampler=dict(num_batches=100),
)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

gan_optim = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(
    constructor='PerModuleOptimWrapperConstructor',
    reid=dict(
        type='OptimWrapper',
        optimizer=dict(type='SGD', lr=0.2, momentum=0.9, nesterov=True, weight_decay=5e-4),
        paramwise_cfg=dict(custom_keys=dict(encoder=dict(lr_mult=0.1))),
    ),
    generators=gan_optim,
    warmup_discriminators=gan_optim,
    discriminators=gan_optim,
)
# 50 epochs of features, of IR images alone; 100 of pixels; 101 of both
custom_hooks = [
    dict(
        type='AlternatingPhasesHook',
        phases=[
            dict(name='reid', end=50),
            dict(name='reid', begin=150),
            dict(name='generators', begin=50),
            dict(name='warmup_discriminators', begin=50, end=150),
            dict(name='discriminators', begin=150),
        ],
        terms={
            'reid/loss_tri_ir': dict(end=50),
            'reid/loss_id_fake_ir': 150,
            'reid/loss_tri': 150,
            'reid/loss_gan': 150,
        },
    )
]
param_scheduler = [dict(type='MultiStepLR', milestones=[200], gamma=0.1, by_epoch=True)]  # step 50 of both
train_cfg = dict(type='ResumableTrainLoop', max_epochs=251, val_interval=10)
auto_scale_lr = dict(base_batch_size=144, enable=False)
