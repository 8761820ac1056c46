# TS-GAN of a size that two CPU cores train, on your own images, from the model that comes with the package. That model
# as it is: `python tools/test.py configs/image_folder/tsgan_jd_small.py tsgan-jd_small_synthetic`.
_base_ = [
    '../_base_/datasets/image_folder.py',
    '../_base_/models/tsgan_small.py',
    '../_base_/schedules/tsgan_synthetic.py',
    '../_base_/default_runtime.py',
]
load_from = 'tsgan-jd_small_synthetic'
img_scale = (48, 96)  # width, height
crop_size = (96, 48)  # height, width

train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.RandomCrop', crop_size=crop_size, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
test_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=img_scale),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
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
train_dataloader = dict(
    batch_size=32,  # 8 identities x 2 pairs x 2 modalities
    dataset=dict(pipeline=train_pipeline),
    batch_sampler=dict(num_pairs=2, num_batches=50),
)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
