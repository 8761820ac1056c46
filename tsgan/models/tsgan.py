from collections.abc import Sequence
from contextlib import contextmanager

import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tsgan.models.gan import check_two_identities, fake_pairs, same_index_pairs, varieties
from tsgan.models.reid import ReIDBaseline
from tsgan.models.teacher_student import TeacherStudent
from tsgan.registry import MODELS
from tsgan.structures import PairStep


@MODELS.register_module()
class TSGAN(TeacherStudent):
    """TS-GAN: Algorithm 1's three phases; at test only the ReID network runs.

    X'_I is what the generator makes of X_R. A second view of X_R, where the batch has one, joins the student's images.

    Source: Zhang et al., "RGB-IR Cross-modality Person ReID based on Teacher-Student GAN Model", 2020.

    Args:
        reid (dict): Config of the student, FE_S, LE_S and F.
        generators (dict): Config of G_I and G_R.
        discriminators (dict): Config of D_I and D_R. With a joint D_I the student is trained to fool it (Eq. 12).
        teacher (dict): Config of the frozen IR teacher, FE_T.
        losses (dict[str, dict | None]): The student's losses, Eq. 9 to 11 and others, as of :class:`ReIDBaseline`.
        loss_adv (dict): Adversarial loss, Eq. 1 to 4 and 12.
        loss_cyc (dict): Cycle consistency, Eq. 6.
        loss_ts_cd (dict, optional): Teacher-student loss across domains, Eq. 15. None leaves the term out.
        loss_ts_real_ir (dict, optional): The same on real IR images, Eq. 13.
        loss_ts_fake_ir (dict, optional): The same on fake IR images, Eq. 14.
        gan_weight (float): lambda_3 in Eq. 8; of use with a joint D_I only. Defaults to 0.1.
        map_from (str): Which map a joint D_I sees, 'final' (f_map,R) or 'mid' (f_map,S). Defaults to 'final'.
        wrong_identity_pairs (bool): Show a joint D_I real images with real maps of another identity as fake pairs,
            too, as AlignGAN does; Eq. 5 has none. Defaults to False.
        adv_through_reid (bool): Let the gradient of Eq. 1 reach G_I through f^{X'_I} too, which is a function of X'_I
            (the student itself is not moved by it); otherwise through the image alone, as AlignGAN does. Defaults to
            True.
        adv_map_stats (str): With which BN statistics the student makes the f^{X'_I} of Eq. 1: the 'running' ones, or
            those of the 'batch' [X_R, X_I, X'_I], which D_I's maps are made with, at the price of a pass over all
            three. Neither moves the running ones. Defaults to 'running'.
        data_preprocessor (dict): Config of the data preprocessor; images leave it in [-1, 1], RGB.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: On an unknown choice, and when the discriminator or the teacher does not fit the student's maps.
    """

    PHASES: Sequence[str] = ('generators', 'reid', 'discriminators')
    NEEDS_VIEW = False

    def __init__(
        self,
        reid: dict,
        generators: dict,
        discriminators: dict,
        teacher: dict,
        losses: dict[str, dict | None],
        loss_adv: dict,
        loss_cyc: dict,
        loss_ts_cd: dict | None,
        loss_ts_real_ir: dict | None,
        loss_ts_fake_ir: dict | None,
        data_preprocessor: dict,
        gan_weight: float = 0.1,
        map_from: str = 'final',
        wrong_identity_pairs: bool = False,
        adv_through_reid: bool = True,
        adv_map_stats: str = 'running',
        init_cfg: dict | None = None,
    ) -> None:
        ReIDBaseline.__init__(self, reid, losses, data_preprocessor, init_cfg)
        if map_from not in ('final', 'mid'):
            raise ValueError(f"map_from of TSGAN is 'final' or 'mid', not {map_from!r}.")
        if adv_map_stats not in ('running', 'batch'):
            raise ValueError(f"adv_map_stats of TSGAN is 'running' or 'batch', not {adv_map_stats!r}.")
        self.generators = MODELS.build(generators)
        self.discriminators = MODELS.build(discriminators)
        # behind them: the order in which parts are built is that in which they draw their first weights
        self.add_teacher(teacher, loss_ts_cd, loss_ts_real_ir, loss_ts_fake_ir)
        self.loss_adv = MODELS.build(loss_adv)
        self.loss_cyc = MODELS.build(loss_cyc)
        self.gan_weight = gan_weight
        self.map_field = f'{map_from}_map'
        self.wrong_identity_pairs = wrong_identity_pairs
        self.adv_through_reid = adv_through_reid
        self.adv_map_stats = adv_map_stats
        self.joint = self.discriminators.ir.joint  # kept here: a distributed wrapper hides the children's attributes
        if self.reid.map_channels:
            self.discriminators.check_maps(self.reid.map_channels[0 if self.map_field == 'mid_map' else -1])

    def check_batch(self, data_samples: list[DataSample]) -> None:
        """A batch of the pair sampler, with two identities where there are to be pairs of two."""
        super().check_batch(data_samples)
        if self.joint and self.wrong_identity_pairs:
            check_two_identities('TSGAN', [sample for sample in data_samples if sample.modality == 'ir'])

    def generators_loss(self, step: PairStep) -> dict[str, Tensor]:
        """L_G of Eq. 7: fool both discriminators, and come back to where one started."""
        step.translation = fakes = self.generators(step.rgb, step.ir)
        maps = pairs = None
        if self.joint:
            with torch.set_grad_enabled(self.adv_through_reid):
                maps = self.map_of_fake(step.rgb, step.ir, fakes.fake_ir)
            pairs = same_index_pairs(maps)
        ir_logits, rgb_logits = self.discriminators(fakes.fake_ir, fakes.fake_rgb, maps, pairs)
        return {
            'loss_adv_ir': self.loss_adv(ir_logits, is_real=True),
            'loss_adv_rgb': self.loss_adv(rgb_logits, is_real=True),
            'loss_cyc_rgb': self.loss_cyc(fakes.rec_rgb, step.rgb),
            'loss_cyc_ir': self.loss_cyc(fakes.rec_ir, step.ir),
            **varieties(step.rgb, step.ir, fakes),
        }

    def map_of_fake(self, rgb: Tensor, ir: Tensor, fake_ir: Tensor) -> Tensor:
        """f^{X'_I} of Eq. 1, (B, C, h, w), before the student has seen X'_I in phase 2; it is in eval mode."""
        is_rgb = torch.arange(3 * len(rgb), device=rgb.device) < len(rgb)  # (3B,) of [X_R, X_I, X'_I]
        if self.adv_map_stats == 'running':
            return getattr(self.reid(fake_ir, is_rgb[len(rgb) : 2 * len(rgb)]), self.map_field)
        with batch_statistics(self.reid):
            output = self.reid(torch.cat([rgb, ir, fake_ir]), is_rgb)
        return getattr(output, self.map_field)[2 * len(rgb) : 3 * len(rgb)]  # DEEN makes more rows, behind these

    def reid_loss(self, step: PairStep) -> dict[str, Tensor]:
        """L_Backbone = L_ReID + L_TS: Eq. 8 and 16, on X_R, X_I and X'_I in one pass."""
        fake_ir = self.fakes(step).fake_ir.detach()
        images, is_rgb = [step.rgb, step.ir, fake_ir], [True, False, False]
        if step.view is not None:
            images, is_rgb = [*images, step.view], [*is_rgb, True]
        output, losses = self.student_losses(step, images, is_rgb)
        _, step.map_ir, step.map_fake_ir = getattr(output, self.map_field).split(len(fake_ir))[:3]
        if self.joint:
            logits, _ = self.discriminators(
                torch.cat([step.ir, fake_ir]),
                None,
                torch.cat([step.map_ir, step.map_fake_ir]),
                self.fake_pairs(step.labels),
            )
            losses['loss_gan'] = self.gan_weight * self.loss_adv(logits, is_real=True)  # Eq. 12
        return losses | self.teacher_student_losses(output, step.ir, fake_ir)

    def discriminators_loss(self, step: PairStep) -> dict[str, Tensor]:
        """L_D of Eq. 2 to 4, and the plain image loss of D_R."""
        fakes, batch = self.fakes(step), len(step.rgb)
        maps = pairs = None
        if self.joint:
            map_ir, map_fake_ir = self.maps(step)
            maps = torch.cat([map_ir, map_fake_ir]).detach()
            pairs = torch.cat([same_index_pairs(step.labels), self.fake_pairs(step.labels)])
        ir_logits, rgb_logits = self.discriminators(
            torch.cat([step.ir, fakes.fake_ir.detach()]), torch.cat([step.rgb, fakes.fake_rgb.detach()]), maps, pairs
        )
        return {
            'loss_ir_real': self.loss_adv(ir_logits[:batch], is_real=True),  # Eq. 3
            'loss_ir_fake': self.loss_adv(ir_logits[batch:], is_real=False),  # Eq. 4
            'loss_rgb_real': self.loss_adv(rgb_logits[:batch], is_real=True),
            'loss_rgb_fake': self.loss_adv(rgb_logits[batch:], is_real=False),
            'accuracy_ir': self.loss_adv.accuracy(ir_logits[:batch], ir_logits[batch:]),
            'accuracy_rgb': self.loss_adv.accuracy(rgb_logits[:batch], rgb_logits[batch:]),
        }

    def fakes(self, step: PairStep):
        """The iteration's fake images; made here where its generator phase did not run."""
        if step.translation is None:
            with torch.no_grad():
                step.translation = self.generators(step.rgb, step.ir, reconstruct=False)
        return step.translation

    def maps(self, step: PairStep) -> tuple[Tensor, Tensor]:
        """The iteration's maps of X_I and X'_I; made here where its ReID phase did not run."""
        if step.map_ir is None:
            with torch.no_grad():
                images = torch.cat([step.ir, self.fakes(step).fake_ir])
                output = self.reid(images, torch.zeros(len(images), dtype=torch.bool, device=images.device))
            step.map_ir, step.map_fake_ir = getattr(output, self.map_field).chunk(2)
        return step.map_ir, step.map_fake_ir

    def fake_pairs(self, labels: Tensor) -> Tensor:
        """M of Eq. 5 for the B pairs of these identities, see :func:`tsgan.models.gan.fake_pairs`."""
        return fake_pairs(labels, self.wrong_identity_pairs)


@contextmanager
def batch_statistics(network: nn.Module):
    """Training mode inside, but running BN statistics stay as they are; eval mode after it."""
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    network.train()
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
        network.eval()
