# CAJ at the demo's size: as ../../modern/caj.py.
_base_ = './agw.py'
start = [
    dict(type='mmpretrain.RandomCrop', crop_size={{_base_.crop_size}}, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
erase = [dict(type='mmpretrain.RandomErasing', erase_prob=0.5, fill_color=(129, 144, 152))]  # BGR
end = [dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}})]
train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale={{_base_.img_scale}}),
    dict(
        type='ModalityViews',
        rgb=[start + erase + end, start + erase + [dict(type='ChannelExchange')] + end],
        ir=[start + erase + [dict(type='ChannelExchange', channel_prob=0.75, gray_prob=0.125)] + end],
    ),
]
del start, erase, end
train_dataloader = dict(dataset=dict(pipeline=train_pipeline), collate_fn=dict(type='tsgan.collate_views'))
model = dict(losses=dict(loss_tri=dict(loss=dict(type='SquaredWeightedTripletLoss'))))
test_evaluator = dict(mirror=True)  # as its authors test
