# Table II, row 3: ordinary discriminator of IR images instead of the joint one; all three teacher-student losses.
_base_ = './tsgan_jd.py'
model = dict(discriminators=dict(ir=dict(_delete_=True, type='PatchDiscriminator', base_channels=16)))
