# A small ViT from scratch, with the losses of ../../modern/vit.py: that it runs, no more. Without pre-training a ViT
# learns little of so few images.
_base_ = [
    '../../_base_/datasets/synthetic.py',
    '../../_base_/models/vit_base.py',
    '../../_base_/schedules/reid_synthetic.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    reid=dict(
        encoder=dict(
            backbone=dict(
                arch=dict(_delete_=True, embed_dims=192, num_layers=4, num_heads=3, feedforward_channels=768),
                img_size=(96, 48),
                patch_size=8,
                patch_cfg=dict(stride=6),  # 15 x 7 patches
                out_indices=[2, 3],
                init_cfg=None,
            )
        ),
        head=dict(num_classes=300, in_channels=192),
    )
)
optim_wrapper = dict(reid=dict(optimizer=dict(type='AdamW', lr=3e-4)))
custom_hooks = [dict(type='AlternatingPhasesHook', phases=['reid'], terms={'reid/loss_msel': 3, 'reid/loss_dcl': 3})]
