# tsgan_jd.py with every norm and sum of Eq. 6, 11 and 13-15 as printed, and no weight rescaled for it: the L1 norm of
# an image rather than a mean over its pixels, a sum over anchors, the squared norm of a map.
_base_ = './tsgan_jd.py'
model = dict(
    loss_cyc=dict(reduction='sum'),
    losses=dict(loss_tri=dict(loss=dict(reduction='sum'))),
    loss_ts_cd=dict(reduction='sum'),
    loss_ts_real_ir=dict(reduction='sum'),
    loss_ts_fake_ir=dict(reduction='sum'),
)
