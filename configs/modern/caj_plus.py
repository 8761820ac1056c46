# CAJ+ (Ye et al., "Channel Augmentation for Visible-Infrared Re-Identification", TPAMI 2023): CAJ with gray images and
# more erasing, as its code has it for SYSU-MM01, and the weak-strong term: V learns what V' says.
_base_ = './caj.py'
train_pipeline = {{_base_.views.caj_plus}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(losses=dict(loss_weak_strong=dict(type='WeakStrongLoss')))
