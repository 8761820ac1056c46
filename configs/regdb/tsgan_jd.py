# TS-GAN with joint discriminator and all three teacher-student losses, on RegDB; its teacher is that of the same split.
_base_ = [
    '../_base_/datasets/regdb.py',
    '../_base_/models/tsgan_resnet50.py',
    '../_base_/schedules/tsgan_adam_120e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    reid=dict(head=dict(num_classes=206)),
    teacher=dict(
        encoder=dict(
            checkpoint='work_dirs/regdb/teacher_ir/split_1',  # with `split=3`, split_3
            trained_by='configs/regdb/teacher_ir.py --cfg-options split=1',
        )
    ),
)
