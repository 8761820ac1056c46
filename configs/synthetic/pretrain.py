# Identity pre-training in place of ImageNet's: RGB images of people who are in no other split. Student and teacher both
# begin with it, so that the channels of their maps have one order from the first step.
_base_ = [
    '../_base_/datasets/synthetic.py',
    '../_base_/models/reid_small.py',
    '../_base_/schedules/reid_synthetic.py',
    '../_base_/default_runtime.py',
]
model = dict(reid=dict(encoder=dict(checkpoint=None), head=dict(num_classes=150)))
train_dataloader = dict(batch_size=64, dataset=dict(split='pretrain', modality='rgb'))
test_evaluator = dict(protocol=dict(_delete_=True, type='SingleModalityProtocol', modality='rgb'))
auto_scale_lr = dict(base_batch_size=64)
