# tsgan_jd.py with model selection: trains on 296 identities, keeps the best on the 99 validation identities.
_base_ = [
    './_base_/datasets/sysu_mm01_296.py',
    './_base_/models/tsgan_resnet50.py',
    './_base_/schedules/tsgan_adam_120e.py',
    './_base_/default_runtime.py',
]
model = dict(
    reid=dict(head=dict(num_classes=296)),
    teacher=dict(encoder=dict(checkpoint='work_dirs/teacher_ir_296', trained_by='configs/teacher_ir_296.py')),
)
default_hooks = dict(checkpoint=dict(save_best='val_single/mAP', rule='greater'))
