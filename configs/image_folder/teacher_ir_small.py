# The IR teacher of tsgan_jd_small.py.
_base_ = [
    '../_base_/datasets/image_folder.py',
    '../_base_/models/reid_small.py',
    '../_base_/schedules/reid_synthetic.py',
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
model = dict(reid=dict(encoder=dict(checkpoint=None)))
train_dataloader = dict(
    batch_size=32,  # 16 identities x 2 images
    dataset=dict(modality='ir', pipeline=train_pipeline),
    batch_sampler=dict(num_pairs=2, num_batches=50),
)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_evaluator = dict(protocol=dict(_delete_=True, type='SingleModalityProtocol', modality='ir', across_cameras=False))
