# A ViT-B/16 with overlapping patches and PMT's losses and schedule (Lu et al., "Learning Progressive Modality-shared
# Transformers for Effective Visible-Infrared Person Re-identification", AAAI 2023). Which other ViTs and weights fit is
# in _base_/models/vit_base.py.
# Not as the published code: triplets are taken over both modalities from the start, while its first six epochs, of gray
# images here as there, have them within each; images are those of backbone.py, without erasing, and without the jitter
# or blur of IR images there; the warm-up begins at 0.01 of the rate in the first epoch, there at 0.34; mixed precision
# is `--amp`.
_base_ = [
    '../_base_/datasets/sysu_mm01.py',
    '../_base_/datasets/pipeline_gray.py',
    '../_base_/models/vit_base.py',
    '../_base_/schedules/vit_adamw_24e.py',
    '../_base_/default_runtime.py',
]
train_dataloader = dict(dataset=dict(pipeline={{_base_.gray_pipeline}}))
custom_hooks = [
    {{_base_.phases}},
    # counts epochs from 1
    dict(type='mmpretrain.SwitchRecipeHook', schedule=[dict(action_epoch=7, train_pipeline={{_base_.train_pipeline}})]),
]
