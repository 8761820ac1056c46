# Table III, row 1, and the IR teacher of every TS-GAN row: the ReID network on IR images alone.
_base_ = './backbone.py'
train_dataloader = dict(batch_size=64, dataset=dict(modality='ir'))
test_evaluator = dict(protocol=dict(_delete_=True, type='SingleModalityProtocol', modality='ir'))
auto_scale_lr = dict(base_batch_size=64)
