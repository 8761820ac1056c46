_base_ = './tsgan_resnet50.py'
