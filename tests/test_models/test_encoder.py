from urllib.error import URLError

import pytest
import torch
from mmengine.config import Config

from tsgan.registry import MODELS

RESNET = dict(type='mmpretrain.ResNet', depth=18, stem_channels=16, base_channels=16)
TRAINER = 'configs/teacher_ir.py'


def encoder(**changes):
    return MODELS.build(dict(type='Encoder', backbone=dict(RESNET, out_indices=(2, 3)), **changes))


def save(path, source, epoch=3, max_epochs=3):
    """What a training leaves behind: a checkpoint, and the file that names it."""
    state = {f'reid.encoder.{name}': t for name, t in source.state_dict().items()}
    cfg = Config(dict(train_cfg=dict(max_epochs=max_epochs))).pretty_text
    file = path / f'epoch_{epoch}.pth'
    torch.save(dict(state_dict=state, meta=dict(epoch=epoch, cfg=cfg)), file)
    (path / 'last_checkpoint').write_text(f'/moved/since/{file.name}')
    return file


def test_images_reach_the_backbone_with_the_statistics_of_its_pretraining():
    enc = encoder()
    seen = []
    enc.backbone.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    pixels = torch.randint(0, 256, (2, 3, 32, 32)).float()
    enc(pixels / 127.5 - 1)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)))
    assert torch.allclose(seen[0], (pixels - mean) / std, atol=1e-4)


@pytest.mark.parametrize('by_folder', [True, False])
def test_a_trained_encoder_is_found_by_file_and_by_work_dir(tmp_path, by_folder):
    source = encoder()
    file = save(tmp_path, source)
    enc = encoder(checkpoint=str(tmp_path if by_folder else file), trained_by=TRAINER)
    enc.init_weights()
    assert all(torch.equal(t, source.state_dict()[name]) for name, t in enc.state_dict().items())


def test_a_teacher_takes_the_first_stages_of_a_longer_backbone(tmp_path):
    source = encoder()
    save(tmp_path, source)
    stages = dict(RESNET, num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,))
    cfg = dict(type='Encoder', backbone=stages, checkpoint=str(tmp_path), trained_by=TRAINER)
    teacher = MODELS.build(dict(type='FrozenTeacher', encoder=cfg))
    teacher.init_weights()
    source.eval()
    images = torch.rand(2, 3, 64, 32)
    assert torch.equal(teacher(images), source(images)[0])


def test_without_a_trained_model_the_error_names_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match='python tools/train.py configs/teacher_ir.py.*encoder.checkpoint=FILE'):
        encoder(checkpoint=str(tmp_path), trained_by=TRAINER).init_weights()


def test_an_unfinished_training_is_refused_by_work_dir_and_accepted_by_file(tmp_path):
    file = save(tmp_path, encoder(), epoch=1)
    with pytest.raises(RuntimeError, match='after epoch 1 of 3.*--resume'):
        encoder(checkpoint=str(tmp_path), trained_by=TRAINER).init_weights()
    encoder(checkpoint=str(file), trained_by=TRAINER).init_weights()


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    wide = MODELS.build(dict(type='Encoder', backbone=dict(RESNET, base_channels=32, out_indices=(2, 3))))
    save(tmp_path, wide)
    with pytest.raises(RuntimeError, match='tensors are missing or of another shape'):
        encoder(checkpoint=str(tmp_path), trained_by=TRAINER).init_weights()


def test_weights_that_cannot_be_downloaded_give_the_ways_out(monkeypatch):
    enc = encoder()

    def no_network():
        raise URLError('no network')

    monkeypatch.setattr(enc.backbone, 'init_weights', no_network)
    with pytest.raises(RuntimeError, match='no network.*init_cfg.checkpoint=FILE.*init_cfg=None'):
        enc.init_weights()


def pretrained(path, prefix, saved_prefix, **resnet):
    """An encoder whose backbone begins with a file: that of another one, its names behind ``saved_prefix``."""
    source = MODELS.build(dict(RESNET, **resnet)).state_dict()
    torch.save({saved_prefix + name: t + 1 for name, t in source.items()}, path)
    init_cfg = dict(type='Pretrained', checkpoint=str(path), prefix=prefix)
    return MODELS.build(dict(type='Encoder', backbone=dict(RESNET, init_cfg=init_cfg)))


@pytest.mark.parametrize(
    ('prefix', 'saved_prefix'),
    [(None, ''), ('backbone', 'backbone.'), ('backbone.', 'backbone.'), (None, 'module.'), ('a.b', 'module.a.b.')],
)
def test_a_backbone_begins_with_a_file_of_weights(tmp_path, prefix, saved_prefix):
    enc = pretrained(tmp_path / 'w.pth', prefix, saved_prefix)
    enc.init_weights()
    saved = torch.load(tmp_path / 'w.pth')[f'{saved_prefix}layer4.1.conv2.weight']
    assert torch.equal(enc.backbone.layer4[1].conv2.weight, saved)


@pytest.mark.parametrize(
    ('prefix', 'saved_prefix', 'fits'),
    [('backbone', '', 'None'), (None, 'backbone.', 'backbone'), ('backbone', 'module.model.net.', 'model.net')],
)
def test_backbone_weights_by_other_names_are_refused_with_the_prefix_that_fits(tmp_path, prefix, saved_prefix, fits):
    enc = pretrained(tmp_path / 'w.pth', prefix, saved_prefix)
    expected = 'backbone.conv1.weight' if prefix else 'conv1.weight'
    with pytest.raises(RuntimeError, match=f'w.pth does not hold .*0 of its 100 .* as {expected}, found') as error:
        enc.init_weights()
    option = f'`--cfg-options model.reid.encoder.backbone.init_cfg.prefix={fits}`, with which 100 fit.'
    assert str(error.value).endswith(option)


def test_backbone_weights_of_which_hardly_any_fit_are_refused(tmp_path):
    enc = pretrained(tmp_path / 'w.pth', None, '', base_channels=8)  # the stem is as wide
    with pytest.raises(RuntimeError, match='5 of its 100 tensors .*these are the weights of another network'):
        enc.init_weights()


def test_what_an_encoder_begins_with_says_whom_it_knows(tmp_path):
    file = save(tmp_path, encoder())
    torch.save(torch.load(file) | {'meta': {'trained_identities': ['RegDB/RegDB/7']}}, file)
    enc = encoder(checkpoint=str(file), trained_by=TRAINER)
    enc.init_weights()
    assert enc.trained_identities == ['RegDB/RegDB/7']
