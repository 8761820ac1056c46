model = dict(
    _scope_='tsgan',  # also where another toolbox builds it, as mmpretrain.get_model does
    type='HandcraftedReID',
    data_preprocessor=dict(  # images are in [-1, 1], RGB, everywhere behind it
        type='ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True
    ),
    reid=dict(type='HandcraftedNet', extractor=dict(type='HOG')),
)
