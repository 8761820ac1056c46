default_scope = 'tsgan'

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    epoch_seed=dict(type='EpochSeedHook'),  # randomness follows from seed and place in the training: exact --resume
    identity_count=dict(type='IdentityCountHook'),
    finite_loss=dict(type='FiniteLossHook'),  # NaN stops a training before it reaches a checkpoint
    collapse=dict(type='CollapseHook'),  # warns of a stuck triplet, a discriminator that has won, one picture for all
    logger=dict(type='FirstRankLoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sync_buffers=dict(type='SyncBuffersHook'),  # BN statistics differ from rank to rank until then
    resume=dict(type='ResumeHook'),  # a resumed training follows the config's schedule, as long as it now is
    trained_identities=dict(type='TrainedIdentitiesHook'),  # no test on people of the training
    checkpoint=dict(type='WholeCheckpointHook', interval=1, max_keep_ckpts=2),
    gradient_norm=dict(type='GradientNormHook', interval=50),
    translation_grid=dict(type='TranslationGridHook'),
    ranked_list=dict(type='RankedListHook'),
)

# every child module has an optimizer of its own, hence a distributed wrapper of its own
model_wrapper_cfg = dict(
    type='MMSeparateDistributedDataParallel', broadcast_buffers=False, find_unused_parameters=False
)

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # seconds that a rank waits for the others, as for rank 0, which alone evaluates and draws
    dist_cfg=dict(backend='nccl', timeout=600),
)
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])
log_level = 'INFO'
randomness = dict(seed=0)
load_from = None
resume = False
