_base_ = './reid_resnet50.py'

patch = dict(type='PatchDiscriminator', num_downs=5, strided=True)  # 64, and doubled four times
entropy = dict(type='mmpretrain.CrossEntropyLoss', loss_weight=1.0)
triplet = dict(type='BatchHardTripletLoss', margin=1.0, distance='cosine')
model = dict(
    type='AlignGAN',
    reid=dict(type='AlignGANNet', head=dict(type='AlignGANHead', embedding_channels=256)),
    generators=dict(
        type='CycleGenerators',
        generator=dict(type='ResnetGenerator', num_blocks=4, kernel_size=4, padding_mode='zeros', running_stats=True),
    ),
    discriminators=dict(type='Discriminators', ir=dict(type='JointDiscriminator', map_channels=2048), rgb=patch),
    warmup_discriminators=dict(type='Discriminators', ir=patch, rgb=patch),
    losses=dict(
        _delete_=True,
        loss_id_ir=dict(type='OnLogits', loss=entropy),
        loss_tri_ir=dict(type='OnVectors', loss=triplet),
    ),
    loss_id=entropy,
    loss_tri=dict(**triplet, across=True),
    loss_adv=dict(type='LSGANLoss'),
    loss_cyc=dict(type='CycleConsistencyLoss', loss_weight=10.0),
    loss_idt=dict(type='CycleConsistencyLoss', loss_weight=5.0),
    task_weight=0.1,
    gan_weight=0.1,
    gan_pairs=16,  # 4 identities x 4: a GAN step is dear
    reid_size=(384, 192),  # height, width
)
