# Table I and Table II, row 4: TS-GAN with joint discriminator and all three teacher-student losses.
_base_ = [
    './_base_/datasets/sysu_mm01.py',
    './_base_/models/tsgan_resnet50.py',
    './_base_/schedules/tsgan_adam_120e.py',
    './_base_/default_runtime.py',
]
