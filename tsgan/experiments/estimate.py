"""What a training would cost, before it is begun."""

import time
from collections.abc import Callable
from itertools import cycle
from statistics import median

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from tsgan.registry import MODELS


def estimate(cfg: Config) -> tuple[float, float]:
    """Seconds that the batches of training and test would take on this machine, and MiB of the checkpoints."""
    cfg = cfg.copy()
    init_default_scope(cfg.default_scope)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = MODELS.build(cfg.model).to(device)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    train, test = (Runner.build_dataloader(loader, seed=0) for loader in (cfg.train_dataloader, cfg.test_dataloader))
    model.train()
    seconds = seconds_a_batch(lambda batch: model.train_step(batch, wrapper), train) * len(train)
    seconds *= cfg.train_cfg.max_epochs
    if getattr(model.reid, 'metric', None) is not None:
        model.reid.metric = None  # there is none before a training has fitted it
    model.eval()
    seconds += seconds_a_batch(model.test_step, test) * len(test)
    states = sum(p.numel() for p in model.parameters() if p.requires_grad) * 8  # Adam's two, at most
    mib = (sum(t.numel() * t.element_size() for t in model.state_dict().values()) + states) / 2**20
    mib *= cfg.default_hooks.checkpoint.max_keep_ckpts
    return seconds, mib


def seconds_a_batch(step: Callable[[dict], object], loader: DataLoader) -> float:
    """Median of three, loading included, after one to warm up. A loader of fewer batches gives them again."""
    taken, batches = [], cycle(loader)
    for _ in range(4):
        start = time.time()
        step(next(batches))
        taken.append(time.time() - start)
    return median(taken[1:])
