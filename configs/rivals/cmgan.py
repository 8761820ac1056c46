# Table I: cmGAN (Dai et al. 2018), triplets across the modalities, and a discriminator of modalities on the features.
# Not the source's: length of the training, batch and mining, augmentation, the network's last stride, and what lies
# between the discriminator's layers.
_base_ = ['../_base_/datasets/sysu_mm01.py', '../_base_/models/cmgan_resnet50.py', '../_base_/default_runtime.py']

optim_wrapper = dict(
    constructor='PerModuleOptimWrapperConstructor',
    reid=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-4, momentum=0.9)),
    discriminator=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3, momentum=0.9)),
)
# K = 5 steps of the network for one of the discriminator
custom_hooks = [dict(type='AlternatingPhasesHook', phases=['reid', dict(name='discriminator', every=5)])]
train_cfg = dict(type='ResumableTrainLoop', max_epochs=120, val_interval=10)
auto_scale_lr = dict(base_batch_size=64, enable=False)
