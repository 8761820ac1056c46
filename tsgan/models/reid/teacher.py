from pathlib import Path

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from tsgan.registry import MODELS


@MODELS.register_module()
class FrozenTeacher(BaseModule):
    """FE_T: the former encoder of a ReID baseline that was trained on real IR images; frozen, BN in eval mode.

    Source: paper, Sec. III-C.

    Args:
        encoder (dict): Config of an encoder whose first output is f_map,T.
        checkpoint (str): The trained baseline: a checkpoint, or the work dir of its training, whose last checkpoint
            is then taken.
        trained_by (str): Config that trains it; named when ``checkpoint`` is not there.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        FileNotFoundError: On initialisation of the weights, when there is no such checkpoint.
        RuntimeError: On initialisation of the weights, when the checkpoint is not one of this encoder.
    """

    PREFIX = 'reid.encoder.'

    def __init__(self, encoder: dict, checkpoint: str, trained_by: str, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.encoder = MODELS.build(encoder)
        self.encoder.requires_grad_(False)
        self.checkpoint = checkpoint
        self.trained_by = trained_by

    def init_weights(self) -> None:
        path = self._find_checkpoint()
        state = CheckpointLoader.load_checkpoint(path, map_location='cpu')
        state = state.get('state_dict', state)
        state = {name.removeprefix(self.PREFIX): t for name, t in state.items() if name.startswith(self.PREFIX)}
        wanted = self.encoder.state_dict()
        wrong = [name for name, t in wanted.items() if name not in state or state[name].shape != t.shape]
        if wrong:
            raise RuntimeError(
                f'{path} does not hold the teacher that the config describes: {len(wrong)} of {len(wanted)} tensors '
                f'are missing or of another shape, {self.PREFIX}{wrong[0]} first. Train it with `python '
                f'tools/train.py {self.trained_by}` or name another one in `model.teacher.checkpoint`.'
            )
        self.encoder.load_state_dict({name: state[name] for name in wanted})
        self._is_init = True
        print_log(f'IR teacher: {path}', logger='current')

    def _find_checkpoint(self) -> str:
        path = Path(self.checkpoint)
        if path.is_dir():
            last = path / 'last_checkpoint'  # written by MMEngine's CheckpointHook
            path = Path(last.read_text().strip()) if last.exists() else last
            if not path.exists():  # the work dir was moved since
                path = Path(self.checkpoint) / path.name
        if not path.is_file():
            raise FileNotFoundError(
                f'No trained IR teacher at {self.checkpoint}: train it with `python tools/train.py '
                f'{self.trained_by}`, or give its checkpoint with `--cfg-options model.teacher.checkpoint=FILE`.'
            )
        return str(path)

    def train(self, mode: bool = True) -> 'FrozenTeacher':
        """Stays in eval mode whatever is asked."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Args:
            images (Tensor): IR images, real or fake, (N, 3, H, W) in [-1, 1].

        Returns:
            Tensor: f_map,T, (N, C_mid, H/16, W/16).
        """
        return self.encoder(images)[0]
