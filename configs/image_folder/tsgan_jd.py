# TS-GAN with joint discriminator and all three teacher-student losses, on your own images.
_base_ = [
    '../_base_/datasets/image_folder.py',
    '../_base_/models/tsgan_mobilenet_v2.py',
    '../_base_/schedules/tsgan_adam_120e.py',
    '../_base_/default_runtime.py',
]
