# TS-GAN without its GAN: RLE's moderate enhancement in the place of the fake infrared image; teacher and losses
# stay.
_base_ = [
    '../_base_/datasets/sysu_mm01.py',
    '../_base_/datasets/pipelines_256x128.py',
    '../_base_/models/teacher_resnet50.py',
    '../_base_/schedules/reid_adam_120e.py',
    '../_base_/default_runtime.py',
]
train_pipeline = {{_base_.middle.rle_view}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline), collate_fn=dict(type='tsgan.collate_views'))
