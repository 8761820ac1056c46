# ADCA's clusters, memories and votes at the demo's size, from pretrain.py: 5 epochs within modalities and 5 with
# matches. The network is the demo's, one stream with average pooling, and V' is of channel exchange alone, IR images as
# they are: not AGW's network and CAJ's augmentation, as ../../modern/adca.py has them.
# eps is chosen on the training images, without their names: of 0.3, 0.4 ... 0.8 the largest at which pretrain.py's
# features have no cluster of more than 2% of a modality (1.1% of IR, 0.7% of RGB images; 2.7% at 0.6, 70% at 0.7).
_base_ = [
    '../../_base_/datasets/synthetic.py',
    '../../_base_/datasets/pipelines_96x48.py',
    '../../_base_/models/reid_small.py',
    '../../_base_/schedules/reid_synthetic.py',
    '../../_base_/default_runtime.py',
]
train_pipeline = {{_base_.small.exchange_view}}
train_dataloader = dict(
    batch_size=64,  # 4 clusters of RGB images in two views, 8 of IR images, 4 images of each
    dataset=dict(pipeline=train_pipeline),
    batch_sampler=dict(_delete_=True, type='ClusterBatchSampler', num_instances=4, num_batches=50, rgb_views=2),
    collate_fn=dict(type='tsgan.collate_views'),
)
model = dict(
    reid=dict(head=dict(num_classes=None)),
    losses=dict(loss_id=None, loss_tri=None, loss_memory=dict(type='ClusterMemoryLoss', momentum=0.1)),
)
custom_hooks = [
    dict(type='PseudoLabelHook', method='adca', matching_from=5, eps=0.5, pipeline={{_base_.test_pipeline}}),
]
test_evaluator = dict(mirror=True)  # as its authors test
