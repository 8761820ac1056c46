# Table II, row 2: ordinary discriminator, and of the teacher-student losses the cross-domain one alone (Eq. 15).
_base_ = './tsgan_od.py'
model = dict(loss_ts_real_ir=None, loss_ts_fake_ir=None)
