# tsgan_resnet50.py without its GAN.
_base_ = './tsgan_resnet50.py'

model = dict(
    _delete_=True,
    _scope_='tsgan',
    type='TeacherStudent',
    data_preprocessor={{_base_.model.data_preprocessor}},
    reid={{_base_.model.reid}},
    teacher={{_base_.model.teacher}},
    losses={{_base_.model.losses}},
    loss_ts_cd={{_base_.model.loss_ts_cd}},
    loss_ts_real_ir={{_base_.model.loss_ts_real_ir}},
    loss_ts_fake_ir={{_base_.model.loss_ts_fake_ir}},
)
