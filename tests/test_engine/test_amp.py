import pytest
import torch


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='mixed precision needs a GPU')
def test_a_step_in_mixed_precision_moves_every_child_and_keeps_losses_finite(make_tsgan, make_batch):
    from tsgan.registry import OPTIM_WRAPPER_CONSTRUCTORS

    model = make_tsgan().cuda().train()
    cfg = {name: dict(type='AmpOptimWrapper', optimizer=dict(type='SGD', lr=0.1)) for name in model.PHASES}
    constructor = dict(type='PerModuleOptimWrapperConstructor', optim_wrapper_cfg=cfg)
    wrapper = OPTIM_WRAPPER_CONSTRUCTORS.build(constructor)(model)
    before = {name: [p.clone() for p in getattr(model, name).parameters()] for name in model.PHASES}
    for _ in range(3):  # the first may be skipped, while the loss scale is found
        log = model.train_step(make_batch(), wrapper)
    assert all(value.isfinite() for value in log.values())
    for name in model.PHASES:
        assert any(not torch.equal(a, b) for a, b in zip(before[name], getattr(model, name).parameters(), strict=True))
