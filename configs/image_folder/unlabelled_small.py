# Your own images without a name on any: `rgb/*.jpg` and `ir/*.jpg`, folders in these allowed. PGM (see
# ../modern/pgm.py) at a size that two CPU cores train, from the model that comes with the package. What is right for
# `eps` depends on the images: the log says how many were clustered, into how many clusters.
# To measure it takes names: a test is one of the base config, on `rgb/<identity>/*` and `ir/<identity>/*`.
_base_ = [
    '../_base_/datasets/image_folder_small.py',
    '../_base_/datasets/pipelines_96x48.py',
    '../_base_/models/reid_small.py',
    '../_base_/schedules/reid_synthetic.py',
    '../_base_/default_runtime.py',
]
load_from = 'tsgan-jd_small_synthetic'
data_root = 'data/unlabelled'
train_pipeline = {{_base_.small.exchange_view}}
train_dataloader = dict(
    batch_size=64,  # 4 clusters of RGB images in two views, 8 of IR images, 4 images of each
    dataset=dict(_delete_=True, type='UnlabelledFolder', data_root=data_root, pipeline=train_pipeline),
    batch_sampler=dict(_delete_=True, type='ClusterBatchSampler', num_instances=4, num_batches=50, rgb_views=2),
    collate_fn=dict(type='tsgan.collate_views'),
)
model = dict(
    reid=dict(encoder=dict(checkpoint=None), head=dict(num_classes=None)),
    losses=dict(loss_id=None, loss_tri=None, loss_memory=dict(type='ClusterMemoryLoss', use_hard=True)),
)
custom_hooks = [
    dict(type='PseudoLabelHook', method='pgm', matching_from=5, eps=0.5, pipeline={{_base_.test_pipeline}}),
]
test_evaluator = dict(training_identities='unlabelled images, last checkpoint')
