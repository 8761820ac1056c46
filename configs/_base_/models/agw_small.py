_base_ = ['./agw_resnet50.py', './small_parts.py']

model = dict(
    reid=dict(
        encoder=dict(
            backbone=dict(
                depth={{_base_.student.encoder.backbone.depth}},
                stem_channels={{_base_.student.encoder.backbone.stem_channels}},
                base_channels={{_base_.student.encoder.backbone.base_channels}},
                init_cfg={{_base_.student.encoder.backbone.init_cfg}},
                non_local=dict(layer2=1, layer3=1),  # of two blocks each
            ),
            checkpoint={{_base_.student.encoder.checkpoint}},
            trained_by={{_base_.student.encoder.trained_by}},
        ),
        head={{_base_.student.head}},
    )
)
