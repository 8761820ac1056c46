# one_stream.py with a ResNet-50 that begins with ImageNet's weights, the first convolution summed over the colours.
_base_ = './one_stream.py'
model = dict(
    reid=dict(
        encoder=dict(
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            backbone=dict(
                depth=50,
                init_cfg=dict(
                    type='Pretrained',
                    checkpoint='https://mmassets.onedl.ai/mmclassification/v0/resnet/'
                    'resnet50_8xb32_in1k_20210831-ea4938fc.pth',
                    prefix='backbone',
                ),
            ),
        ),
        head=dict(in_channels=2048),
    )
)
