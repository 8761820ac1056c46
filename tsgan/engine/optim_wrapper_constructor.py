import torch.nn as nn
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapperDict

from tsgan.registry import OPTIM_WRAPPER_CONSTRUCTORS
from tsgan.structures import unwrapped


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class PerModuleOptimWrapperConstructor:
    """One OptimWrapper for each child module that is trained, keyed by the child's name.

    Each value is what a config otherwise gives for a whole model: ``generators=dict(type='OptimWrapper',
    optimizer=dict(...), paramwise_cfg=dict(...), clip_grad=...)``.

    Args:
        optim_wrapper_cfg (dict): Child name -> OptimWrapper config.
        paramwise_cfg (None): Belongs into a child's config; here for MMEngine's signature.

    Raises:
        ValueError: On a key that is no child, and on a trainable child without a key.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: None = None) -> None:
        if paramwise_cfg is not None:
            raise ValueError(
                'paramwise_cfg of optim_wrapper belongs into the config of one child, beside its optimizer.'
            )
        self.optim_wrapper_cfg = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        model = unwrapped(model)
        trainable = [name for name, child in model.named_children() if any(p.requires_grad for p in child.parameters())]
        if sorted(trainable) != sorted(self.optim_wrapper_cfg):
            raise ValueError(
                f'optim_wrapper needs one entry for each trained child of {type(model).__name__}, {sorted(trainable)}; '
                f'it has {sorted(self.optim_wrapper_cfg)}.'
            )
        wrappers = {}
        for name in trainable:
            cfg = dict(self.optim_wrapper_cfg[name])
            constructor = DefaultOptimWrapperConstructor(cfg, cfg.pop('paramwise_cfg', None))
            wrappers[name] = constructor(getattr(model, name))
        return OptimWrapperDict(**wrappers)
