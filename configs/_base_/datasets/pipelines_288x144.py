# Images of 288 x 144, as AGW and what builds on it have them; for {sysu_mm01,regdb,llcm}_288x144.py and rows on these.
large = dict(
    scale=(144, 288), crop_size=(288, 144)
)  # width, height as mmcv's Resize has it; height, width as RandomCrop
load = [dict(type='LoadReIDImage'), dict(type='Resize', scale=large['scale'])]
move = [
    dict(type='mmpretrain.RandomCrop', crop_size=large['crop_size'], padding=10),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
# Luma, BGR; and from 0.02 to 0.4 of the image in a gray, so that what is erased is in no modality's colour.
erase = [
    dict(type='RandomGrayscale', prob=0.5, keep_channels=True, channel_weights=(0.114, 0.587, 0.299)),
    dict(type='mmpretrain.RandomErasing', erase_prob=0.5),
]
pack = [dict(type='mmpretrain.PackInputs', meta_keys=('img_path', 'pid', 'camid', 'modality', 'frame'))]
large.update(train=load + move + pack, erasing=load + move + erase + pack, test=load + pack)
del load, move, erase, pack
