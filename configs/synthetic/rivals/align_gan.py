# Table I: AlignGAN, a ReID network of IR images, real ones and those that a generator makes of RGB images, at test too.
_base_ = [
    '../../_base_/datasets/synthetic.py',
    '../../_base_/models/align_gan_resnet50.py',
    '../../_base_/models/small_parts.py',
    '../../_base_/schedules/tsgan_synthetic.py',
    '../../_base_/default_runtime.py',
]
small_patch = dict(base_channels=16, num_downs=4)
model = dict(
    reid=dict(encoder={{_base_.student.encoder}}, head=dict(num_classes=300, in_channels=256)),
    generators=dict(generator=dict(base_channels=16, num_blocks=3, residual=True), gray_ir=True),
    discriminators=dict(ir=dict(map_channels=256, base_channels=16, wide_end=False), rgb=small_patch),
    warmup_discriminators=dict(ir=small_patch, rgb=small_patch),
    gan_pairs=8,  # 4 identities x 2
    reid_size=(96, 48),  # as all of these images are
)
train_dataloader = dict(batch_size=64)  # 16 identities x 2 pairs x 2 modalities
auto_scale_lr = dict(base_batch_size=64)
optim_wrapper = dict(
    reid=dict(
        optimizer=dict(lr=1e-2),
        # at a tenth or more, all images soon share one embedding
        paramwise_cfg=dict(custom_keys=dict(encoder=dict(lr_mult=0.1), embedding=dict(lr_mult=0.01))),
    ),
    warmup_discriminators={{_base_.gan_optim}},
)
# 4 epochs of features, of IR images alone; 2 of pixels; 6 of both
custom_hooks = [
    dict(
        type='AlternatingPhasesHook',
        phases=[
            dict(name='reid', end=4),
            dict(name='reid', begin=6),
            dict(name='generators', begin=4),
            dict(name='warmup_discriminators', begin=4, end=6),
            dict(name='discriminators', begin=6),
        ],
        terms={
            'reid/loss_tri_ir': dict(end=4),
            'reid/loss_id_fake_ir': 6,
            'reid/loss_tri': 6,
            'reid/loss_gan': 6,
        },
    )
]
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(type='MultiStepLR', milestones=[9], gamma=0.1, by_epoch=True),
]
train_cfg = dict(max_epochs=12)
