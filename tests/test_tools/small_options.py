"""Options that make the networks and epochs of configs/synthetic small."""

EPOCH = ['train_dataloader.batch_size=8', 'train_dataloader.batch_sampler.num_batches=2']
EPOCH += ['train_cfg.max_epochs=1', 'default_hooks.logger.interval=1']
BACKBONE = ['base_channels=16', 'stem_channels=16']
STUDENT = [f'model.reid.encoder.backbone.{option}' for option in BACKBONE]
STUDENT += ['model.reid.head.in_channels=128', 'model.reid.head.num_classes=6']
TSGAN = [f'model.teacher.encoder.backbone.{option}' for option in BACKBONE]
TSGAN += ['model.generators.generator.base_channels=16', 'model.generators.generator.num_blocks=1']
TSGAN += ['model.discriminators.ir.map_channels=128', 'model.discriminators.ir.base_channels=16']
TSGAN += ['model.discriminators.rgb.base_channels=16']
