_base_ = ['./tsgan_resnet50.py', './small_parts.py']

model = dict(
    reid={{_base_.student}},
    generators=dict(  # pose and edges after some hundred iterations: residual, and gray IR
        generator=dict(base_channels=16, num_blocks=3, residual=True), gray_ir=True
    ),
    discriminators=dict(ir=dict(map_channels=256, base_channels=16, wide_end=False), rgb=dict(base_channels=16)),
    teacher={{_base_.teacher}},
)
