# RLE's images of 384 x 192, for its rows on sysu_mm01.py, regdb.py and llcm.py; visible and infrared ones alike.
# What is erased is filled before normalisation: 0.4914, 0.4822, 0.4465 of 255, in BGR. The published code draws the
# heights of those rectangles, 0.3 to 3.3 of their widths, evenly; mmpretrain, their logarithm. Areas are alike.
high = dict(scale=(192, 384), crop_size=(384, 192))
load = [dict(type='LoadReIDImage'), dict(type='Resize', scale=high['scale'])]
gray = [dict(type='RandomGrayscale', prob=0.5, keep_channels=True, channel_weights=(0.114, 0.587, 0.299))]  # luma, BGR
enhance = [
    dict(type='mmpretrain.RandomCrop', crop_size=high['crop_size'], padding=10),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='ModerateRLE', prob=0.5, beta=0.3),
    dict(type='RadicalRLE', prob=0.5, beta=0.4, least=0.1),
    dict(type='mmpretrain.RandomErasing', erase_prob=0.5, fill_color=(114, 123, 125)),
]
pack = [dict(type='mmpretrain.PackInputs', meta_keys=('img_path', 'pid', 'camid', 'modality', 'frame'))]
high.update(train=load + enhance + pack, train_gray=load + gray + enhance + pack, test=load + pack)
del load, gray, enhance, pack
