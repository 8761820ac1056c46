# PGM (Wu and Ye, "Unsupervised Visible-Infrared Person Re-Identification via Progressive Graph Matching and Alternate
# Learning", CVPR 2023): as ADCA, with AGW's non-local blocks; an assignment matches the clusters, each image is
# compared with the other modality's memory in turn, and the hardest image of a cluster alone moves its memory.
# Not as the published code: the hardest image moves a memory from the first epoch on, there from the matching on, the
# images in turn before it; no colour jitter; what is left over is assigned again until nobody is, in either modality
# (the code: once, and expects no fewer RGB than IR clusters); see also adca.py.
_base_ = './adca.py'
model = dict(
    reid=dict(encoder=dict(backbone=dict(non_local=dict(_delete_=True, layer2=2, layer3=3)))),
    losses=dict(loss_memory=dict(momentum=0.2, use_hard=True)),
)
custom_hooks = [
    dict(type='PseudoLabelHook', method='pgm', matching_from=50, pipeline={{_base_.test_pipeline}}),
]
