# TS-GAN with joint discriminator and all three teacher-student losses, on LLCM.
_base_ = [
    '../_base_/datasets/llcm.py',
    '../_base_/models/tsgan_resnet50.py',
    '../_base_/schedules/tsgan_adam_120e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    reid=dict(head=dict(num_classes=713)),
    teacher=dict(encoder=dict(checkpoint='work_dirs/llcm/teacher_ir', trained_by='configs/llcm/teacher_ir.py')),
)
