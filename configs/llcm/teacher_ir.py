# The IR teacher of tsgan_jd.py.
_base_ = './backbone.py'
train_dataloader = dict(dataset=dict(modality='ir'))
test_evaluator = dict(protocol=dict(_delete_=True, type='SingleModalityProtocol', modality='ir'))
