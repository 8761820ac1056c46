"""Configs of a small ReID network and a small TS-GAN.

No network of a test is narrower than 16 channels: requirements/constraints.txt says why.
"""

import copy
from pathlib import Path

from mmengine.config import Config

from tsgan.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
HEIGHT, WIDTH = 64, 32  # the joint discriminator halves five times
NUM_IDS = 6

RESNET = dict(type='mmpretrain.ResNet', depth=18, stem_channels=16, base_channels=16, zero_init_residual=False)
STUDENT = dict(RESNET, strides=(1, 2, 2, 1), out_indices=(2, 3))
TEACHER = dict(RESNET, num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,))

BASELINE = dict(
    type='ReIDBaseline',
    data_preprocessor=dict(type='ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True),
    reid=dict(
        type='ReIDNet',
        encoder=dict(type='Encoder', backbone=STUDENT),
        head=dict(type='ReIDHead', num_classes=NUM_IDS, in_channels=128, bn_neck=True),
    ),
    losses=dict(
        loss_id=dict(
            type='OnLogits',
            loss=dict(type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1, mode='original', loss_weight=3.0),
        ),
        loss_tri=dict(type='OnVectors', loss=dict(type='BatchHardTripletLoss')),
    ),
)
TSGAN = dict(
    BASELINE,
    type='TSGAN',
    generators=dict(type='CycleGenerators', generator=dict(type='ResnetGenerator', base_channels=16, num_blocks=1)),
    discriminators=dict(
        type='Discriminators',
        ir=dict(type='JointDiscriminator', map_channels=128, base_channels=16, reduced_channels=16, wide_end=False),
        rgb=dict(type='PatchDiscriminator', base_channels=16, num_downs=2),
    ),
    teacher=dict(
        type='FrozenTeacher',
        encoder=dict(type='Encoder', backbone=TEACHER, checkpoint='none', trained_by='configs/teacher_ir.py'),
    ),
    loss_adv=dict(type='VanillaGANLoss'),
    loss_cyc=dict(type='CycleConsistencyLoss'),
    loss_ts_cd=dict(type='TeacherStudentLoss', loss_weight=0.006),
    loss_ts_real_ir=dict(type='TeacherStudentLoss', loss_weight=0.003),
    loss_ts_fake_ir=dict(type='TeacherStudentLoss', loss_weight=0.003),
)


def build(cfg: dict, **changes):
    return MODELS.build(copy.deepcopy({**cfg, **changes}))


def build_align_gan(**changes):
    """AlignGAN of the synthetic row, smaller still, but with two sizes: 3 of a batch's pairs are the GAN's."""
    cfg = Config.fromfile(CONFIGS / 'synthetic/rivals/align_gan.py').model
    cfg.reid.encoder.checkpoint = None
    cfg.reid.encoder.backbone.update(stem_channels=16, base_channels=16)
    cfg.reid.head.update(in_channels=128, num_classes=NUM_IDS, embedding_channels=16)
    cfg.generators.generator.update(base_channels=16, num_blocks=1)
    cfg.discriminators.ir.update(map_channels=128, base_channels=16, reduced_channels=16)
    for patch in (cfg.discriminators.rgb, cfg.warmup_discriminators.rgb, cfg.warmup_discriminators.ir):
        patch.update(base_channels=16, num_downs=2)
    cfg.update(gan_pairs=3, reid_size=(96, 48), **changes)
    return MODELS.build(cfg)


def build_cmgan():
    """cmGAN of the synthetic row, smaller still."""
    cfg = Config.fromfile(CONFIGS / 'synthetic/rivals/cmgan.py').model
    cfg.reid.encoder.checkpoint = None
    cfg.reid.encoder.backbone.update(stem_channels=16, base_channels=16)
    cfg.reid.head.update(in_channels=128, num_classes=NUM_IDS)
    cfg.discriminator.update(in_channels=128, hidden=(64, 16))
    return MODELS.build(cfg)
