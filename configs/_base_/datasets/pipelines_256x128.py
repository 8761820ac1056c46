# Augmentations at TS-GAN's size, for its own rows in configs/modern.
load = [dict(type='LoadReIDImage'), dict(type='Resize', scale=(128, 256))]
move = [
    dict(type='mmpretrain.RandomCrop', crop_size=(256, 128), padding=10),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
# Luma, BGR; and from 0.02 to 0.4 of the image in a gray, so that what is erased is in no modality's colour.
erase = [
    dict(type='RandomGrayscale', prob=0.5, keep_channels=True, channel_weights=(0.114, 0.587, 0.299)),
    dict(type='mmpretrain.RandomErasing', erase_prob=0.5),
]
pack = [dict(type='mmpretrain.PackInputs', meta_keys=('img_path', 'pid', 'camid', 'modality', 'frame'))]
plain = move + pack
exchange = [dict(type='ChannelExchange')]
enhance = [dict(type='ModerateRLE', prob=1.0)]
middle = dict(
    erasing=load + move + erase + pack,
    # a second view of each RGB image, which like a fake infrared image has one value in all channels
    exchange_view=[*load, dict(type='ModalityViews', rgb=[plain, move + exchange + pack], ir=[plain])],
    rle_view=[*load, dict(type='ModalityViews', rgb=[plain, move + enhance + pack], ir=[plain])],
)
del load, move, erase, pack, plain, exchange, enhance
