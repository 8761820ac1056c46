_base_ = './reid_adam_120e.py'

# The paper names one Adam setting for all; generators and discriminators take CycleGAN's, which it builds on.
gan_optim = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(generators=gan_optim, discriminators=gan_optim)
custom_hooks = [dict(type='AlternatingPhasesHook', phases=['generators', 'reid', 'discriminators'])]  # Algorithm 1
