# TS-GAN of a size that two CPU cores train, on your own images, from the model that comes with the package. That model
# as it is: `python tools/test.py configs/image_folder/tsgan_jd_small.py tsgan-jd_small_synthetic`.
_base_ = [
    '../_base_/datasets/image_folder_small.py',
    '../_base_/models/tsgan_small.py',
    '../_base_/schedules/tsgan_synthetic.py',
    '../_base_/default_runtime.py',
]
load_from = 'tsgan-jd_small_synthetic'
model = dict(
    reid=dict(encoder=dict(checkpoint=None)),
    teacher=dict(
        encoder=dict(
            checkpoint='work_dirs/image_folder/teacher_ir_small', trained_by='configs/image_folder/teacher_ir_small.py'
        )
    ),
    loss_ts_cd=dict(reduction='sum'),
    loss_ts_real_ir=dict(reduction='sum'),
    loss_ts_fake_ir=dict(reduction='sum'),
)
