# The IR teacher of tsgan_jd_296.py; its last checkpoint, since one IR camera alone saw the validation identities.
_base_ = './teacher_ir.py'
model = dict(reid=dict(head=dict(num_classes=296)))
train_dataloader = dict(dataset=dict(split='train'))
test_evaluator = dict(training_identities='train (296), last checkpoint')
