# CAJ on RegDB: ../caj.py with this data set.
_base_ = ['./agw.py', '../../_base_/datasets/views_288x144.py']
train_pipeline = {{_base_.views.caj}}
train_dataloader = dict(dataset=dict(pipeline=train_pipeline), collate_fn=dict(type='tsgan.collate_views'))
model = dict(losses=dict(loss_tri=dict(loss=dict(type='SquaredWeightedTripletLoss'))))
train_cfg = dict(max_epochs=100)
test_evaluator = dict(mirror=True)  # as its authors test
