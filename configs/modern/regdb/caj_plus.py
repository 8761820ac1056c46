# CAJ+ on RegDB: caj.py with the weak-strong term; here its code augments as CAJ's does.
_base_ = './caj.py'
model = dict(losses=dict(loss_weak_strong=dict(type='WeakStrongLoss')))
