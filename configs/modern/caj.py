# CAJ (Ye et al., "Channel Augmented Joint Learning for Visible-Infrared Recognition", ICCV 2021): AGW with erasing
# of each channel by a value of its own, channel exchange in a second view of each visible image, and the squared
# weighted triplet loss. Its cap of 88 has no gradient: the log has the share of capped anchors, reid/tri_capped, and a
# warning.
# Not as the published code: see agw.py and _base_/datasets/views_288x144.py.
_base_ = ['./agw.py', '../_base_/datasets/views_288x144.py']
train_pipeline = {{_base_.views.caj}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline), collate_fn=dict(type='tsgan.collate_views'))
model = dict(losses=dict(loss_tri=dict(loss=dict(type='SquaredWeightedTripletLoss'))))
train_cfg = dict(max_epochs=100)
test_evaluator = dict(mirror=True)  # as its authors test
