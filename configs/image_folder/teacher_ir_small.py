# The IR teacher of tsgan_jd_small.py.
_base_ = [
    '../_base_/datasets/image_folder_small.py',
    '../_base_/models/reid_small.py',
    '../_base_/schedules/reid_synthetic.py',
    '../_base_/default_runtime.py',
]
load_from = 'tsgan-jd_small_synthetic'
model = dict(reid=dict(encoder=dict(checkpoint=None)))
train_dataloader = dict(dataset=dict(modality='ir'))
test_evaluator = dict(protocol=dict(_delete_=True, type='SingleModalityProtocol', modality='ir', across_cameras=False))
