# tsgan_jd.py with the norm of Eq. 13-15 as printed: at this size, 18 times the weight of the default reduction.
_base_ = './tsgan_jd.py'
model = dict(
    loss_ts_cd=dict(reduction='sum'), loss_ts_real_ir=dict(reduction='sum'), loss_ts_fake_ir=dict(reduction='sum')
)
