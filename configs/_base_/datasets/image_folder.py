# Your own images, `rgb/<identity>/*` and `ir/<identity>/*`: half of the identities to train on, half to test on, or as
# a split file has it (`split_file='split.json'` in both data sets; see tsgan.datasets.ImageFolderReID).
_base_ = './sysu_mm01.py'  # pipelines and loaders
data_root = 'data/images'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ImageFolderReID',
        data_root=data_root,
        split='train',
        pipeline={{_base_.train_pipeline}},
    )
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ImageFolderReID',
        data_root=data_root,
        split='test',
        pipeline={{_base_.test_pipeline}},
        test_mode=True,
    )
)
test_cfg = dict(type='TestLoop')
test_evaluator = dict(
    protocol=dict(_delete_=True, type='CrossModalityProtocol'),  # IR -> RGB and RGB -> IR
    training_identities='train split, last checkpoint',
)
