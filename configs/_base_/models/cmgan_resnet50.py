_base_ = './reid_resnet50.py'

model = dict(
    type='CMGAN',
    discriminator=dict(type='ModalityDiscriminator', in_channels=2048, hidden=(1000, 500)),
    losses=dict(
        loss_id=dict(loss=dict(_delete_=True, type='mmpretrain.CrossEntropyLoss', loss_weight=1.0)),  # beta
        loss_tri=dict(loss=dict(margin=1.4, loss_weight=1.0, across=True)),  # alpha
    ),
    loss_modality=dict(type='mmpretrain.CrossEntropyLoss'),
    gan_weight=0.05,  # gamma
)
