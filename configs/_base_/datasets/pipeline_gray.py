# sysu_mm01.py's images of 256 x 128, all of them gray: where a training begins, and then switches to colours.
gray_pipeline = [
    dict(type='LoadReIDImage'),
    dict(type='Resize', scale=(128, 256)),  # width, height
    dict(type='RandomGrayscale', prob=1.0, keep_channels=True, channel_weights=(0.114, 0.587, 0.299)),  # luma, BGR
    dict(type='mmpretrain.RandomCrop', crop_size=(256, 128), padding=10),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='mmpretrain.PackInputs', meta_keys=('img_path', 'pid', 'camid', 'modality', 'frame')),
]
