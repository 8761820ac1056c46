_base_ = ['./reid_resnet50.py', './mobilenet_parts.py']

model = dict(reid={{_base_.student}})
