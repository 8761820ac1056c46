# RegDB: ten published splits, a model for each. Of one, `--cfg-options split=3` trains and tests; the mean over all is
# what is published, and tools/regdb_splits.py makes it.
_base_ = './sysu_mm01.py'
data_root = 'data/RegDB'
split = 1  # and the last part of the default work dir: work_dirs/regdb/backbone/split_1

train_dataloader = dict(dataset=dict(type='RegDB', data_root=data_root, split=split, subset='train'))
test_dataloader = dict(dataset=dict(type='RegDB', data_root=data_root, split=split, subset='test'))
test_evaluator = dict(
    protocol=dict(_delete_=True, type='RegDBProtocol'),
    training_identities='train of the split (206), last checkpoint',
)
