model = dict(
    type='HandcraftedReID',
    data_preprocessor=dict(  # images are in [-1, 1], RGB, everywhere behind it
        type='ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True
    ),
    reid=dict(type='HandcraftedNet', extractor=dict(type='HOG')),
)
