_base_ = ['./rle_resnet50.py', './small_parts.py']

model = dict(reid={{_base_.student}})
