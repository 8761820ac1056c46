_base_ = ['./hct_resnet50.py', './small_parts.py']

model = dict(reid=dict(encoder={{_base_.student.encoder}}))
