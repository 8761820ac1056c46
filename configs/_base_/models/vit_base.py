# A ViT whose class token is V, with PMT's losses (Lu et al., AAAI 2023). Patches overlap; the position embedding of the
# weights is resized to them, 21 x 10, as they are loaded. Other weights go by `backbone.init_cfg.checkpoint=FILE`, in
# mmpretrain's naming, each with what it was trained with:
#   CLIP    clip-vit-base-p16_openai-pre_3rdparty_in1k_20221220-c7d9c899.pth; backbone: pre_norm=True;
#           encoder: mean=[122.771, 116.746, 104.094], std=[68.501, 66.632, 70.323]
#   DINOv2  vit-base-p14_dinov2-pre_3rdparty_20230426-ba246503.pth; backbone: patch_size=14,
#           layer_scale_init_value=1e-5; encoder: mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]
# A file of another naming is refused with the names that are expected.
_base_ = './reid_resnet50.py'

model = dict(
    reid=dict(
        encoder=dict(
            mean=[127.5] * 3,  # of these weights' training
            std=[127.5] * 3,
            backbone=dict(
                _delete_=True,
                type='mmpretrain.VisionTransformer',
                arch='base',
                img_size=(256, 128),  # height, width
                patch_size=16,
                patch_cfg=dict(stride=12, padding=0),  # (256 - 16) // 12 + 1 = 21 rows
                drop_rate=0.03,
                drop_path_rate=0.1,
                out_indices=[
                    8,
                    11,
                ],  # class token after three quarters of the blocks, where layer3 of a ResNet ends, and V
                init_cfg=dict(
                    type='Pretrained',
                    checkpoint='https://mmassets.onedl.ai/mmclassification/v0/vit/finetune/'
                    'vit-base-p16_in21k-pre-3rdparty_ft-64xb64_in1k-384_20210928-98e8652b.pth',
                    prefix='backbone',
                ),
            ),
        ),
        head=dict(in_channels=768, bn_neck=True),
    ),
    losses=dict(
        # mean over RGB plus mean over IR images
        loss_id=dict(_delete_=True, type='OnLogits', loss=dict(type='mmpretrain.CrossEntropyLoss', loss_weight=2.0)),
        loss_tri=dict(_delete_=True, type='OnVectors', loss=dict(type='BatchHardTripletLoss', margin=0.1)),
        loss_msel=dict(type='OnVectors', loss=dict(type='ModalitySharedEnhancementLoss', loss_weight=0.5)),
        loss_dcl=dict(type='OnVectors', loss=dict(type='DiscriminativeCentreLoss', loss_weight=0.5)),
    ),
)
