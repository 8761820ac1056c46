_base_ = './reid_synthetic.py'

gan_optim = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3, betas=(0.5, 0.999)))
optim_wrapper = dict(generators=gan_optim, discriminators=gan_optim)
custom_hooks = [dict(type='AlternatingPhasesHook', phases=['generators', 'reid', 'discriminators'])]  # Algorithm 1
