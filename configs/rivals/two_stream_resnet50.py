# two_stream.py with a ResNet-50; both streams begin with ImageNet's weights.
_base_ = './one_stream_resnet50.py'
model = dict(reid=dict(encoder=dict(backbone=dict(type='TwoStreamResNet'))))
