# Table I and Table II, row 4: TS-GAN with joint discriminator and all three teacher-student losses.
_base_ = [
    '../_base_/datasets/synthetic.py',
    '../_base_/models/tsgan_small.py',
    '../_base_/schedules/tsgan_synthetic.py',
    '../_base_/default_runtime.py',
]
