# LLCM: 713 identities to train on, 351 to test on, nine cameras.
_base_ = './sysu_mm01.py'
data_root = 'data/LLCM'

train_dataloader = dict(dataset=dict(type='LLCM', data_root=data_root, split='train'))
test_dataloader = dict(dataset=dict(type='LLCM', data_root=data_root, split='test'))
test_evaluator = dict(
    protocol=dict(_delete_=True, type='LLCMProtocol'),
    training_identities='train (713), last checkpoint',
)
