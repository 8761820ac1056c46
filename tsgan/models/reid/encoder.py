from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from tsgan.checkpoints import config_of, find_checkpoint, fitting, meta_of, prefix_that_fits, weights_of
from tsgan.registry import MODELS


@MODELS.register_module()
class Encoder(BaseModule):
    """A staged backbone that reads images in [-1, 1], the range in which generators write them.

    The former and the latter encoder of the paper (FE, LE) are one backbone with two outputs: for a ResNet,
    ``out_indices=(2, 3)`` gives f_map,S after layer3 and f_map,R after layer4. Any mmpretrain backbone with
    ``out_indices`` fits. Its weights begin as the backbone's ``init_cfg`` says, or as those of a model that this
    toolbox has trained.

    Args:
        backbone (dict): Config of the backbone. One whose attribute ``needs_modality`` is true is given which images
            are RGB, too. One with parts that others of its kind have not names their tensors in ``added_tensors``: a
            ``checkpoint`` without any of these begins it, too, and the log says so; all others must be there.
        mean (Sequence[float]): Channel means in RGB order, 0 to 255, that the backbone was trained with.
            Defaults to ImageNet's.
        std (Sequence[float]): The standard deviations. Defaults to ImageNet's.
        checkpoint (str, optional): A trained model to begin with: a checkpoint, or the work dir of a training, whose
            last checkpoint is then taken. Defaults to None.
        trained_by (str, optional): Config that trains it, and the options that go with it if there are any; named when
            ``checkpoint`` is not there. Defaults to None.

    Raises:
        FileNotFoundError: On initialisation of the weights, when there is no such checkpoint.
        RuntimeError: On initialisation of the weights, when the checkpoint has another encoder, the backbone's weights
            cannot be downloaded, or fewer than half of its tensors are among them.
    """

    PREFIX = 'reid.encoder.'  # where a model's state dict holds its encoder

    def __init__(
        self,
        backbone: dict,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        checkpoint: str | None = None,
        trained_by: str | None = None,
    ) -> None:
        super().__init__()
        self.backbone = MODELS.build(backbone)
        self.needs_modality = getattr(self.backbone, 'needs_modality', False)
        self.checkpoint = checkpoint
        self.trained_by = trained_by
        self.trained_identities: list[str] = []  # of the checkpoint
        to_unit = 127.5  # [0, 255] -> [-1, 1]
        self.register_buffer('mean', torch.tensor(mean).view(1, 3, 1, 1) / to_unit - 1, persistent=False)
        self.register_buffer('std', torch.tensor(std).view(1, 3, 1, 1) / to_unit, persistent=False)

    def forward(self, images: Tensor, is_rgb: Tensor | None = None) -> tuple[Tensor, ...]:
        """Feature maps, one for each of the backbone's ``out_indices``.

        Args:
            images (Tensor): (N, 3, H, W), RGB in [-1, 1].
            is_rgb (Tensor, optional): Which of them are RGB images rather than IR images, (N,) bool. Most backbones
                treat both alike, and do without. Defaults to None.

        Returns:
            tuple[Tensor, ...]: Maps (N, C_i, H_i, W_i).

        Raises:
            ValueError: When the backbone has to know ``is_rgb``.
        """
        images = (images - self.mean) / self.std
        if not self.needs_modality:
            return self.backbone(images)
        if is_rgb is None:
            raise ValueError(
                f'{type(self.backbone).__name__} has to know which images are RGB: give each a data sample whose '
                "`modality` is 'rgb' or 'ir'."
            )
        return self.backbone(images, is_rgb)

    def init_weights(self) -> None:
        if self.checkpoint is not None:
            self._load_trained()
            self._is_init = True
            return
        try:
            self._check_pretrained()
            super().init_weights()
        except OSError as error:  # not there, or not to be downloaded
            raise RuntimeError(
                f'the backbone cannot start from the weights that its init_cfg names ({error}): give a local file with '
                '`--cfg-options model.reid.encoder.backbone.init_cfg.checkpoint=FILE`, and '
                "`model.reid.encoder.backbone.init_cfg.prefix=None` where its names do not begin with 'backbone.', or "
                'start from scratch with `model.reid.encoder.backbone.init_cfg=None`.'
            ) from error

    def _check_pretrained(self) -> None:
        """MMEngine loads whatever fits, be it nothing: at least half of the backbone's tensors must."""
        init_cfg = self.backbone.init_cfg or []
        for cfg in [init_cfg] if isinstance(init_cfg, dict) else init_cfg:
            if cfg.get('type') != 'Pretrained':
                continue
            prefix = f'{cfg["prefix"].rstrip(".")}.' if cfg.get('prefix') else ''
            weights = weights_of(CheckpointLoader.load_checkpoint(cfg['checkpoint'], 'cpu'))
            state = {name.removeprefix(prefix): t for name, t in weights.items() if name.startswith(prefix)}
            if hasattr(self.backbone, 'adapt_state'):
                self.backbone.adapt_state(state, '')
            # a counter that old files do not have
            wanted = {n: t for n, t in self.backbone.state_dict().items() if not n.endswith('num_batches_tracked')}
            fit = len(fitting(state, wanted))
            if fit * 2 >= len(wanted):
                continue
            best, best_fit = prefix_that_fits(weights, wanted)
            option = 'model.reid.encoder.backbone.init_cfg.prefix'
            raise RuntimeError(
                f'{cfg["checkpoint"]} does not hold the weights of {type(self.backbone).__name__} that the backbone is '
                f'to start from: {fit} of its {len(wanted)} tensors are there with their shape. Expected names such as '
                f'{prefix}{next(iter(wanted))}, found {", ".join(list(weights)[:2])} ...: '
                + (
                    f'give `--cfg-options {option}={best or None}`, with which {best_fit} fit.'
                    if best_fit * 2 >= len(wanted)
                    else f'no `{option}` makes them fit; these are the weights of another network.'
                )
            )

    def _load_trained(self) -> None:
        try:
            path = find_checkpoint(self.checkpoint)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'no trained model at {self.checkpoint}: train it with `python tools/train.py {self.trained_by}`, '
                'or name its checkpoint in `checkpoint` of the encoder (of the IR teacher: `--cfg-options '
                'model.teacher.encoder.checkpoint=FILE`).'
            ) from error
        content = CheckpointLoader.load_checkpoint(path, map_location='cpu')
        self._check_finished(path, content)
        state = weights_of(content)
        state = {name.removeprefix(self.PREFIX): t for name, t in state.items() if name.startswith(self.PREFIX)}
        if hasattr(self.backbone, 'adapt_state'):
            self.backbone.adapt_state(state, 'backbone.')
        wanted, more = self.state_dict(), ''
        added = [f'backbone.{name}' for name in getattr(self.backbone, 'added_tensors', ())]
        if added and not any(name in state for name in added):
            for name in added:
                del wanted[name]
            more = f', which lacks the {len(added)} tensors from {added[0]} on: they begin untrained'
        fit = fitting(state, wanted)
        if len(fit) < len(wanted):
            wrong = next(name for name in wanted if name not in fit)
            raise RuntimeError(
                f'{path} does not hold the encoder that the config describes: {len(wanted) - len(fit)} of '
                f'{len(wanted)} tensors are missing or of another shape, {self.PREFIX}{wrong} first; expected a model '
                f'that {self.trained_by} trains.'
            )
        self.load_state_dict({**self.state_dict(), **{name: state[name] for name in wanted}})
        self.trained_identities = meta_of(content).get('trained_identities', [])
        print_log(f'encoder of {path}{more}', logger='current')

    def _check_finished(self, path: str, content: dict) -> None:
        """A work dir stands for a finished training; who wants less names the file."""
        epochs = config_of(content).get('train_cfg', {}).get('max_epochs', 0)
        epoch = meta_of(content).get('epoch', 0)
        if Path(self.checkpoint).is_dir() and epoch < epochs:
            raise RuntimeError(
                f'the training in {self.checkpoint} has stopped after epoch {epoch} of {epochs}: go on '
                f'with `python tools/train.py {self.trained_by} --resume`, or name {path} itself.'
            )
