# What student and teacher of the shipped model begin with: the ReID network on RGB and IR images, of 1,800 people under
# 36 cameras (six render seeds that no result uses; tools/make_weights.py renders, links and trains).
_base_ = '../backbone.py'
people_root = 'data/shipped'  # `data_root` is that of the test

train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale={{_base_.img_scale}}),
    dict(type='mmpretrain.RandomCrop', crop_size={{_base_.crop_size}}, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='RandomGrayscale', prob=0.3, keep_channels=True),  # the field's usual bridge between the modalities
    dict(type='mmpretrain.ColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, backend='cv2'),
    dict(type='mmpretrain.RandomErasing', erase_prob=0.4, mode='rand'),
    dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}}),
]
model = dict(reid=dict(encoder=dict(checkpoint=None), head=dict(num_classes=1800)))
train_dataloader = dict(
    batch_size=64,  # 16 identities x 2 pairs x 2 modalities
    dataset=dict(
        _delete_=True, type='ImageFolderReID', data_root=people_root, split_file='split.json', pipeline=train_pipeline
    ),
    batch_sampler=dict(num_batches=200),
)
test_evaluator = dict(training_identities='1,800 of other render seeds, last checkpoint')
optim_wrapper = dict(reid=dict(optimizer=dict(lr=1e-3)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=200),
    dict(type='CosineAnnealingLR', by_epoch=True, T_max=40, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=40)
auto_scale_lr = dict(base_batch_size=64)
