# DEEN's images of 384 x 144, for its rows on sysu_mm01.py, regdb.py and llcm.py; visible and infrared ones alike.
# What is erased, much of the image on SYSU-MM01, is filled with what the published code fills in after normalisation,
# 0.485, 0.456, 0.406, in BGR before it. That code draws a rectangle anew which does not fit; mmpretrain cuts it.
tall = dict(scale=(144, 384), crop_size=(384, 144))
load = [dict(type='LoadReIDImage'), dict(type='Resize', scale=tall['scale'])]
move = [
    dict(type='RandomGrayscale', prob=0.5, keep_channels=True, channel_weights=(0.114, 0.587, 0.299)),  # luma, BGR
    dict(type='mmpretrain.RandomCrop', crop_size=tall['crop_size'], padding=10),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
erase = dict(type='mmpretrain.RandomErasing', erase_prob=0.5, fill_color=(127, 142, 152))
much = dict(erase, min_area_ratio=0.2, max_area_ratio=0.8)
pack = [dict(type='mmpretrain.PackInputs', meta_keys=('img_path', 'pid', 'camid', 'modality', 'frame'))]
tall.update(train=load + move + [erase] + pack, train_much=load + move + [much] + pack, test=load + pack)
del load, move, erase, much, pack
