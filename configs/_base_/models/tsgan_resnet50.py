_base_ = './reid_resnet50.py'

model = dict(
    type='TSGAN',
    generators=dict(type='CycleGenerators', generator=dict(type='ResnetGenerator', base_channels=64, num_blocks=9)),
    discriminators=dict(
        type='Discriminators',
        ir=dict(type='JointDiscriminator', map_channels=2048),
        rgb=dict(type='PatchDiscriminator'),
    ),
    teacher=dict(
        type='FrozenTeacher',
        encoder=dict(
            type='Encoder',
            backbone=dict(  # the student's, up to layer3
                type='mmpretrain.ResNet',
                depth=50,
                num_stages=3,
                strides=(1, 2, 2),
                dilations=(1, 1, 1),
                out_indices=(2,),
            ),
            checkpoint='work_dirs/teacher_ir',
            trained_by='configs/teacher_ir.py',
        ),
    ),
    loss_adv=dict(type='VanillaGANLoss'),
    loss_cyc=dict(type='CycleConsistencyLoss', loss_weight=10.0),
    gan_weight=0.1,
    adv_through_reid=True,  # Eq. 1's map is a function of G_I; measured in docs/results.md
    adv_map_stats='running',
    # reduction: the paper's words and its formula differ by a factor of 131,072; see TeacherStudentLoss
    loss_ts_cd=dict(type='TeacherStudentLoss', loss_weight=0.006, reduction='channel'),
    loss_ts_real_ir=dict(type='TeacherStudentLoss', loss_weight=0.003, reduction='channel'),
    loss_ts_fake_ir=dict(type='TeacherStudentLoss', loss_weight=0.003, reduction='channel'),
)
