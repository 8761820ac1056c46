_base_ = './reid_adam_120e.py'

# The paper names one Adam setting for all; generators and discriminators take CycleGAN's, which it builds on. It names
# one schedule, too (Sec. IV-B), and all three follow it: warm-up, then x 0.3 twice. CycleGAN's own is constant, then
# linear; docs/method.md says how to give each its own.
gan_optim = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(generators=gan_optim, discriminators=gan_optim)
custom_hooks = [dict(type='AlternatingPhasesHook', phases=['generators', 'reid', 'discriminators'])]  # Algorithm 1
