# Table I: cmGAN, triplets across the modalities, and a discriminator of modalities on the features.
_base_ = [
    '../../_base_/datasets/synthetic.py',
    '../../_base_/models/cmgan_resnet50.py',
    '../../_base_/models/small_parts.py',
    '../../_base_/schedules/reid_synthetic.py',
    '../../_base_/default_runtime.py',
]
model = dict(reid={{_base_.student}}, discriminator=dict(in_channels=256, hidden=(125, 63)))
# ten times the network's rate, as the source has it
optim_wrapper = dict(discriminator=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-2)))
custom_hooks = [dict(type='AlternatingPhasesHook', phases=['reid', dict(name='discriminator', every=5)])]
