# ADCA (Yang et al., "Augmented Dual-Contrastive Aggregation Learning for Unsupervised Visible-Infrared Person
# Re-Identification", ACM MM 2022): AGW's network, but for non-local blocks, without identities. Clusters of each
# modality are made anew before each epoch; in the second stage, votes of pairs of images match them. A batch has 8
# clusters of RGB images in two views and 16 of IR images, 16 images of each.
# Not as the published code: the last checkpoint is tested, not the best on the test set; images of a cluster are drawn
# without a look at their cameras; memories are at unit length from the start of an epoch on; features to be clustered
# are of an image alone, without its mirror image; the weights in the Jaccard distance are re-ranking's
# (tsgan/unsupervised/clusters.py); see also agw.py, _base_/datasets/views_288x144.py and
# _base_/schedules/clusters_adam_100e.py.
_base_ = [
    '../_base_/datasets/sysu_mm01_288x144.py',
    '../_base_/datasets/views_288x144.py',
    '../_base_/models/agw_resnet50.py',
    '../_base_/schedules/clusters_adam_100e.py',
    '../_base_/default_runtime.py',
]
train_pipeline = {{_base_.views.caj}}
train_dataloader = dict(
    batch_size=512,  # images of the network
    dataset=dict(pipeline=train_pipeline),
    batch_sampler=dict(_delete_=True, type='ClusterBatchSampler', num_instances=16, num_batches=200, rgb_views=2),
    collate_fn=dict(type='tsgan.collate_views'),
)
model = dict(
    reid=dict(encoder=dict(backbone=dict(non_local=None)), head=dict(num_classes=None)),
    losses=dict(loss_id=None, loss_tri=None, loss_memory=dict(type='ClusterMemoryLoss', momentum=0.1)),
)
custom_hooks = [
    dict(type='PseudoLabelHook', method='adca', matching_from=50, pipeline={{_base_.test_pipeline}}),
]
test_evaluator = dict(mirror=True)  # as its authors test
