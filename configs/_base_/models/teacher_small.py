_base_ = ['./teacher_resnet50.py', './small_parts.py']

model = dict(reid={{_base_.student}}, teacher={{_base_.teacher}})
