# CAJ+ at the demo's size: as ../../modern/caj_plus.py.
_base_ = './caj.py'
start = [
    dict(type='mmpretrain.RandomCrop', crop_size={{_base_.crop_size}}, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
gray = [dict(type='RandomGrayscale', prob=0.1, keep_channels=True, channel_weights=(0.114, 0.587, 0.299))]  # luma, BGR
erase = [dict(type='mmpretrain.RandomErasing', erase_prob=0.5, fill_color=(129, 144, 152))]  # BGR
more = [dict(type='mmpretrain.RandomErasing', erase_prob=0.6, fill_color=(129, 144, 152))]
end = [dict(type='mmpretrain.PackInputs', meta_keys={{_base_.meta_keys}})]
train_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale={{_base_.img_scale}}),
    dict(
        type='ModalityViews',
        rgb=[start + gray + more + end, start + more + [dict(type='ChannelExchange')] + end],
        ir=[start + erase + [dict(type='ChannelExchange', channel_prob=0.75, gray_prob=0.15)] + end],
    ),
]
del start, gray, erase, more, end
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(losses=dict(loss_weak_strong=dict(type='WeakStrongLoss')))
