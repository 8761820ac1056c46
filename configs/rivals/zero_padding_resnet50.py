# zero_padding.py with a ResNet-50 that begins with ImageNet's weights.
_base_ = './one_stream_resnet50.py'
model = dict(reid=dict(encoder=dict(backbone=dict(type='ZeroPaddingResNet'))))
