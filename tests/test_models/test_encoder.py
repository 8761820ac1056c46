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
