from collections.abc import Sequence
from pathlib import Path
from urllib.error import URLError

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

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
            are RGB, too.
        mean (Sequence[float]): Channel means in RGB order, 0 to 255, that the backbone was trained with.
            Defaults to ImageNet's.
        std (Sequence[float]): The standard deviations. Defaults to ImageNet's.
        checkpoint (str, optional): A trained model to begin with: a checkpoint, or the work dir of a training, whose
            last checkpoint is then taken. Defaults to None.
        trained_by (str, optional): Config that trains it, and the options that go with it if there are any; named when
            ``checkpoint`` is not there. Defaults to None.

    Raises:
        FileNotFoundError: On initialisation of the weights, when there is no such checkpoint.
        RuntimeError: On initialisation of the weights, when the checkpoint has another encoder, or the backbone's
            weights cannot be downloaded.
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
                "`modality` is 'rgb' or 'ir' (TSGAN, which translates images, trains no such backbone)."
            )
        return self.backbone(images, is_rgb)

    def init_weights(self) -> None:
        if self.checkpoint is not None:
            self._load_trained()
            self._is_init = True
            return
        try:
            super().init_weights()
        except (URLError, FileNotFoundError, AssertionError) as error:
            raise RuntimeError(
                f'the backbone cannot start from the weights that its init_cfg names ({error}): give a local file with '
                '`--cfg-options model.reid.encoder.backbone.init_cfg.checkpoint=FILE`, and '
                "`model.reid.encoder.backbone.init_cfg.prefix=None` where its names do not begin with 'backbone.', or "
                'start from scratch with `model.reid.encoder.backbone.init_cfg=None`.'
            ) from error

    def _load_trained(self) -> None:
        path = self._find_checkpoint()
        state = CheckpointLoader.load_checkpoint(path, map_location='cpu')
        self._check_finished(path, state)
        state = state.get('state_dict', state)
        state = {name.removeprefix(self.PREFIX): t for name, t in state.items() if name.startswith(self.PREFIX)}
        if hasattr(self.backbone, 'adapt_state'):
            self.backbone.adapt_state(state, 'backbone.')
        wanted = self.state_dict()
        wrong = [name for name, t in wanted.items() if name not in state or state[name].shape != t.shape]
        if wrong:
            raise RuntimeError(
                f'{path} does not hold the encoder that the config describes: {len(wrong)} of {len(wanted)} tensors '
                f'are missing or of another shape, {self.PREFIX}{wrong[0]} first; expected a model that '
                f'{self.trained_by} trains.'
            )
        self.load_state_dict({name: state[name] for name in wanted})
        print_log(f'encoder of {path}', logger='current')

    def _check_finished(self, path: str, state: dict) -> None:
        """A work dir stands for a finished training; who wants less names the file."""
        meta = state.get('meta', {})
        if Path(self.checkpoint).is_dir() and 'cfg' in meta:
            epochs = Config.fromstring(meta['cfg'], '.py').train_cfg.max_epochs
            if meta['epoch'] < epochs:
                raise RuntimeError(
                    f'the training in {self.checkpoint} has stopped after epoch {meta["epoch"]} of {epochs}: go on '
                    f'with `python tools/train.py {self.trained_by} --resume`, or name {path} itself.'
                )

    def _find_checkpoint(self) -> str:
        path = Path(self.checkpoint)
        if '://' in self.checkpoint:
            return self.checkpoint
        if path.is_dir():
            last = path / 'last_checkpoint'  # written by MMEngine's CheckpointHook
            path = path / Path(last.read_text().strip()).name if last.exists() else last
        if not path.is_file():
            raise FileNotFoundError(
                f'no trained model at {self.checkpoint}: train it with `python tools/train.py {self.trained_by}`, '
                'or name its checkpoint in `checkpoint` of the encoder (of the IR teacher: `--cfg-options '
                'model.teacher.encoder.checkpoint=FILE`).'
            )
        return str(path)
