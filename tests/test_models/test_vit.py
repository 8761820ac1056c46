"""ViTs that begin with files of weights in mmpretrain's naming: ImageNet's, CLIP's, DINOv2's."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from tsgan.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'
ARCH = dict(embed_dims=32, num_layers=4, num_heads=2, feedforward_channels=64)
KINDS = {  # arguments of the backbone, and size of the images of its pre-training
    'imagenet': (dict(patch_size=16, patch_cfg=dict(stride=12, padding=0)), 64),
    'clip': (dict(patch_size=16, patch_cfg=dict(stride=12, padding=0), pre_norm=True), 64),
    'dinov2': (dict(patch_size=14, patch_cfg=dict(stride=12, padding=0), layer_scale_init_value=1e-5), 70),
}


def config(arguments, **changes):
    return {**dict(type='mmpretrain.VisionTransformer', arch=ARCH, out_indices=[2, 3]), **arguments, **changes}


def weights(kind, file):
    """A file as mmpretrain's, of a square image in patches without overlap, with a classifier behind it."""
    arguments, size = KINDS[kind]
    source = MODELS.build(config({k: v for k, v in arguments.items() if k != 'patch_cfg'}, img_size=size))
    for p in source.parameters():
        p.data.normal_(std=0.1)
    state = {f'backbone.{name}': t for name, t in source.state_dict().items()}
    torch.save(dict(state_dict={**state, 'head.layers.head.weight': torch.zeros(10, 32)}), file)
    return source.state_dict()


def encoder(kind, file, prefix='backbone'):
    init_cfg = dict(type='Pretrained', checkpoint=str(file), prefix=prefix)
    backbone = config(KINDS[kind][0], img_size=(64, 40), init_cfg=init_cfg)
    return MODELS.build(dict(type='Encoder', backbone=backbone))


@pytest.mark.parametrize('kind', KINDS)
def test_weights_arrive_and_the_position_embedding_is_resized_to_overlapping_patches(kind, tmp_path):
    saved = weights(kind, tmp_path / 'vit.pth')
    enc = encoder(kind, tmp_path / 'vit.pth')
    enc.init_weights()
    found = enc.backbone.state_dict()
    assert set(found) == set(saved)
    assert all(torch.equal(found[name], saved[name]) for name in saved if name != 'pos_embed')
    old, new = saved['pos_embed'], found['pos_embed']
    side = KINDS[kind][1] // KINDS[kind][0]['patch_size']
    rows, columns = ((edge - KINDS[kind][0]['patch_size']) // 12 + 1 for edge in (64, 40))
    assert old.shape == (1, 1 + side**2, 32) and new.shape == (1, 1 + rows * columns, 32)
    assert torch.equal(new[:, 0], old[:, 0])  # of the class token
    square = old[:, 1:].transpose(1, 2).unflatten(2, (side, side))
    resized = F.interpolate(square, (rows, columns), mode='bicubic').flatten(2).transpose(1, 2)
    assert torch.allclose(new[:, 1:], resized, atol=1e-6)


@pytest.mark.parametrize('kind', KINDS)
def test_maps_are_class_tokens_after_the_blocks_asked_for(kind):
    net = MODELS.build(config(KINDS[kind][0], img_size=(64, 40)))
    net.eval()
    mid, final = net(torch.randn(3, 3, 64, 40))
    assert mid.shape == final.shape == (3, 32) and not torch.equal(mid, final)


def test_weights_in_the_naming_of_timm_are_refused(tmp_path):
    saved = weights('imagenet', tmp_path / 'vit.pth')
    renamed = {name.replace('layers.', 'blocks.').replace('ln', 'norm'): t for name, t in saved.items()}
    torch.save(renamed, tmp_path / 'timm.pth')
    with pytest.raises(RuntimeError, match='does not hold the weights of VisionTransformer.*Expected names such as'):
        encoder('imagenet', tmp_path / 'timm.pth', prefix=None).init_weights()


def test_the_papers_row_has_21_by_10_patches():
    cfg = Config.fromfile(CONFIGS / 'modern/vit.py').model.reid.encoder.backbone
    cfg.update(arch=ARCH, out_indices=[2, 3], init_cfg=None)
    assert MODELS.build(cfg).pos_embed.shape == (1, 1 + 21 * 10, 32)


def test_colours_come_with_the_seventh_epoch():
    cfg = Config.fromfile(CONFIGS / 'modern/vit.py')
    kinds = [transform['type'] for transform in cfg.train_dataloader.dataset.pipeline]
    phases, switch = cfg.custom_hooks
    (recipe,) = switch.schedule
    later = [transform['type'] for transform in recipe.train_pipeline]
    assert recipe.action_epoch == phases.terms['reid/loss_msel'] + 1 == phases.terms['reid/loss_dcl'] + 1 == 7
    assert [kind for kind in kinds if kind != 'RandomGrayscale'] == later and 'RandomGrayscale' in kinds
