# Parts of a network with ImageNet weights that a CPU or a small GPU trains, for {reid,tsgan}_mobilenet_v2.py.
student = dict(
    encoder=dict(
        backbone=dict(
            _delete_=True,
            type='mmpretrain.MobileNetV2',
            out_indices=(4, 7),  # maps of H/16 with 96 channels, and of H/32 with 1280
            init_cfg=dict(
                type='Pretrained',
                checkpoint='https://mmassets.onedl.ai/mmclassification/v0/mobilenet_v2/'
                'mobilenet_v2_batch256_imagenet_20200708-3b2dc3af.pth',
                prefix='backbone',
            ),
        )
    ),
    head=dict(num_classes=56, in_channels=1280),  # num_classes: as many identities as you train on
)
teacher = dict(
    encoder=dict(
        backbone=dict(_delete_=True, type='mmpretrain.MobileNetV2', out_indices=(4,)),
        checkpoint='work_dirs/image_folder/teacher_ir',
        trained_by='configs/image_folder/teacher_ir.py',
    )
)
