model = dict(
    _scope_='tsgan',  # also where another toolbox builds it, as mmpretrain.get_model does
    type='ReIDBaseline',
    data_preprocessor=dict(  # images are in [-1, 1], RGB, everywhere behind it
        type='ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True
    ),
    reid=dict(
        type='ReIDNet',
        encoder=dict(
            type='Encoder',
            backbone=dict(
                type='mmpretrain.ResNet',
                depth=50,
                strides=(1, 2, 2, 1),  # last stride 1: maps of H/16 x W/16
                out_indices=(2, 3),  # f_map,S of layer3 and f_map,R of layer4
                init_cfg=dict(
                    type='Pretrained',
                    checkpoint='https://mmassets.onedl.ai/mmclassification/v0/resnet/'
                    'resnet50_8xb32_in1k_20210831-ea4938fc.pth',
                    prefix='backbone',
                ),
            ),
        ),
        head=dict(type='ReIDHead', num_classes=395, in_channels=2048),
    ),
    losses=dict(
        loss_id=dict(
            type='OnLogits',
            loss=dict(type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1, mode='original', loss_weight=3.0),
        ),
        loss_tri=dict(type='OnVectors', loss=dict(type='BatchHardTripletLoss', margin=0.3, loss_weight=1.0)),
    ),
)
