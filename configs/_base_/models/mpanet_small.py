_base_ = ['./mpanet_resnet50.py', './small_parts.py']

model = dict(
    reid=dict(
        encoder={{_base_.student.encoder}},
        head=dict(num_classes={{_base_.student.head.num_classes}}, in_channels=7 * 256),
    )
)
