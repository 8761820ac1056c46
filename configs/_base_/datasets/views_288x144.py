# CAJ's and CAJ+'s three views, for rows on {sysu_mm01,regdb,llcm}_288x144.py: V and V' of a visible image, and IR.
# The published code erases, then exchanges channels, both of normalised values; here both are of pixels: the fills
# below are its 0.4914, 0.4822, 0.4465 times ImageNet's std, plus its mean, in BGR. Its rectangles have the same areas,
# but heights of 0.3 to 3.3 of their widths drawn evenly, so that most stand upright; here the logarithm is even.
fill = (129, 144, 152)
start = [
    dict(type='mmpretrain.RandomCrop', crop_size=(288, 144), padding=10),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
end = [dict(type='mmpretrain.PackInputs', meta_keys=('img_path', 'pid', 'camid', 'modality', 'frame'))]
gray = [dict(type='RandomGrayscale', prob=0.1, keep_channels=True, channel_weights=(0.114, 0.587, 0.299))]  # luma, BGR
erase = [dict(type='mmpretrain.RandomErasing', erase_prob=0.5, fill_color=fill)]
more = [dict(type='mmpretrain.RandomErasing', erase_prob=0.6, fill_color=fill)]
exchange = [dict(type='ChannelExchange')]
load = [dict(type='LoadReIDImage'), dict(type='Resize', scale=(144, 288))]
views = dict(
    caj=[
        *load,
        dict(
            type='ModalityViews',
            rgb=[start + erase + end, start + erase + exchange + end],
            # ChannelAdapGray: 3/4 one channel, 1/4 x 0.5 gray
            ir=[start + erase + [dict(type='ChannelExchange', channel_prob=0.75, gray_prob=0.125)] + end],
        ),
    ],
    caj_plus=[
        *load,
        dict(
            type='ModalityViews',
            rgb=[start + gray + more + end, start + more + exchange + end],
            ir=[start + erase + [dict(type='ChannelExchange', channel_prob=0.75, gray_prob=0.15)] + end],
        ),
    ],
)
del fill, start, end, gray, erase, more, exchange, load
