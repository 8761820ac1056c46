_base_ = './hog.py'

model = dict(
    reid=dict(
        extractor=dict(type='LOMO'),
        metric=dict(type='XQDA', regularization=0.001),
    ),
    max_images=10,  # of each identity and modality: 7,900 images of SYSU-MM01, for which XQDA takes 5 GB and minutes
)
