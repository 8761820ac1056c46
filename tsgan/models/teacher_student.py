from collections.abc import Sequence

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from tsgan.models.gan import check_pairs, pair_step
from tsgan.models.memory_format import to_fastest_format
from tsgan.models.reid import ReIDBaseline, map_channels
from tsgan.registry import MODELS
from tsgan.structures import PairStep, ReIDOutput


@MODELS.register_module()
class TeacherStudent(ReIDBaseline):
    """A frozen IR teacher guides a student, by a third image X'_I of each pair: here the batch's second view of X_R.

    What TS-GAN is without its GAN: a line of augmentation stands in for the generator.

    Args:
        reid (dict): Config of the student, FE_S, LE_S and F.
        teacher (dict): Config of the frozen IR teacher, FE_T.
        losses (dict[str, dict | None]): Losses of the student on X_R, X_I and X'_I, Eq. 9 to 11 and others, as of
            :class:`ReIDBaseline`.
        loss_ts_cd (dict, optional): Teacher-student loss across domains, Eq. 15. None leaves the term out.
        loss_ts_real_ir (dict, optional): The same on real IR images, Eq. 13.
        loss_ts_fake_ir (dict, optional): The same on X'_I, Eq. 14.
        data_preprocessor (dict): Config of the data preprocessor; images leave it in [-1, 1], RGB.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: When the teacher does not fit the student's middle map; in training, on a batch of other images.
    """

    NEEDS_VIEW = True  # whether X'_I has to be in the batch

    def __init__(
        self,
        reid: dict,
        teacher: dict,
        losses: dict[str, dict | None],
        loss_ts_cd: dict | None,
        loss_ts_real_ir: dict | None,
        loss_ts_fake_ir: dict | None,
        data_preprocessor: dict,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(reid, losses, data_preprocessor, init_cfg)
        self.add_teacher(teacher, loss_ts_cd, loss_ts_real_ir, loss_ts_fake_ir)

    def add_teacher(
        self, teacher: dict, loss_ts_cd: dict | None, loss_ts_real_ir: dict | None, loss_ts_fake_ir: dict | None
    ) -> None:
        """Build the teacher and its losses; raises ValueError when it does not fit the student's middle map."""
        self.teacher = MODELS.build(teacher)
        self.loss_ts_cd = loss_ts_cd and MODELS.build(loss_ts_cd)
        self.loss_ts_real_ir = loss_ts_real_ir and MODELS.build(loss_ts_real_ir)
        self.loss_ts_fake_ir = loss_ts_fake_ir and MODELS.build(loss_ts_fake_ir)
        student, found = self.reid.map_channels, map_channels(self.teacher.encoder)
        if student and found and found[0] != student[0]:
            raise ValueError(
                f"the teacher's map has {found[0]} channels, and the student's middle map has {student[0]}: "
                'give model.teacher.encoder.backbone the stages that the student has up to there.'
            )
        to_fastest_format(self.teacher)

    def check_batch(self, data_samples: list[DataSample]) -> None:
        """A batch of the pair sampler, with a second view of the RGB images where that is X'_I."""
        check_pairs(type(self).__name__, data_samples, needs_view=self.NEEDS_VIEW)

    def make_step(self, inputs: Tensor, data_samples: list[DataSample]) -> PairStep:
        """Split a batch of the pair sampler into B RGB images, their second views and B IR images of the same
        identities."""
        return pair_step(inputs, data_samples)

    def reid_loss(self, step: PairStep) -> dict[str, Tensor]:
        """L_ReID + L_TS on X_R, X_I and the second view."""
        output, losses = self.student_losses(step, [step.rgb, step.ir, step.view], [True, False, True])
        return losses | self.teacher_student_losses(output, step.ir, step.view)

    def student_losses(
        self, step: PairStep, images: Sequence[Tensor], is_rgb: Sequence[bool]
    ) -> tuple[ReIDOutput, dict[str, Tensor]]:
        """What the student makes of several images of each pair in one pass, and L_ReID of them, Eq. 8.

        Args:
            step (PairStep): The B pairs.
            images (Sequence[Tensor]): (B, 3, H, W) each.
            is_rgb (Sequence[bool]): Which of those are RGB images.
        """
        mask = torch.cat([torch.full_like(step.labels, flag, dtype=torch.bool) for flag in is_rgb])
        output = self.reid(torch.cat(list(images)), mask)
        return output, self.losses_of(output, step.labels.repeat(len(images)), mask)

    def teacher_student_losses(self, output: ReIDOutput, ir: Tensor, fake_ir: Tensor) -> dict[str, Tensor]:
        """L_TS of Eq. 16, term by term; the teacher runs once, on no more images than the terms need.

        Args:
            output (ReIDOutput): The student's, of X_R, X_I and X'_I in this order, and of others behind them.
            ir (Tensor): X_I, (B, 3, H, W).
            fake_ir (Tensor): X'_I, (B, 3, H, W), detached.
        """
        student_rgb, student_ir, student_fake_ir = output.mid_map.split(len(ir))[:3]
        needs_ir = self.loss_ts_real_ir is not None
        needs_fake = self.loss_ts_cd is not None or self.loss_ts_fake_ir is not None
        images = [x for x, needed in ((ir, needs_ir), (fake_ir, needs_fake)) if needed]
        if not images:
            return {}
        maps = list(self.teacher(torch.cat(images)).chunk(len(images)))
        teacher_fake_ir = maps.pop() if needs_fake else None
        losses = {}
        if self.loss_ts_cd is not None:
            losses['loss_ts_cd'] = self.loss_ts_cd(student_rgb, teacher_fake_ir)
        if self.loss_ts_real_ir is not None:
            losses['loss_ts_real_ir'] = self.loss_ts_real_ir(student_ir, maps[0])
        if self.loss_ts_fake_ir is not None:
            losses['loss_ts_fake_ir'] = self.loss_ts_fake_ir(student_fake_ir, teacher_fake_ir)
        return losses
