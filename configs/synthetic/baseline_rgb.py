# Table III, row 2: the ReID network on RGB images alone.
_base_ = './backbone.py'
train_dataloader = dict(batch_size=64, dataset=dict(modality='rgb'))
test_evaluator = dict(protocol=dict(_delete_=True, type='SingleModalityProtocol', modality='rgb'))
auto_scale_lr = dict(base_batch_size=64)
