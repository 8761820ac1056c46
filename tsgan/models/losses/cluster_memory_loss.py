import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tsgan.registry import MODELS
from tsgan.structures import ReIDOutput

from .precision import at_least_float32


@MODELS.register_module()
class ClusterMemoryLoss(nn.Module):
    """Each image against a memory of all clusters of its modality: cross-entropy of cosine / temperature.

    A memory is one vector of unit length a cluster. After a batch, each of its images draws its cluster's vector to
    itself: ``m <- momentum m + (1 - momentum) x``, again at unit length, one image after the other; with ``use_hard``,
    the image that is farthest from the vector alone. Where clusters have partners in the other modality, images are
    compared with that memory, too, and draw it likewise, after its own images have.

    Memories are filled when an epoch begins (:class:`tsgan.unsupervised.PseudoLabelHook`) and are no weights.
    Every rank would have its own: for one process.

    Source: Dai et al., "Cluster Contrast for Unsupervised Person Re-Identification", ACCV 2022; across modalities, Wu
    and Ye, "Unsupervised Visible-Infrared Person Re-Identification via Progressive Graph Matching and Alternate
    Learning", CVPR 2023.

    Args:
        temperature (float): Defaults to 0.05.
        momentum (float): What a memory keeps of itself. Defaults to 0.2 (PGM's; ADCA's script has 0.1).
        use_hard (bool): Defaults to False.
        cross_weight (float): Weight of the loss on the other modality's memory. Defaults to 0.25.
        loss_weight (float): Defaults to 1.0.
    """

    def __init__(
        self,
        temperature: float = 0.05,
        momentum: float = 0.2,
        use_hard: bool = False,
        cross_weight: float = 0.25,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.momentum = momentum
        self.use_hard = use_hard
        self.cross_weight = cross_weight
        self.loss_weight = loss_weight
        for name in ('rgb', 'ir'):
            self.register_buffer(f'memory_{name}', torch.empty(0, 0), persistent=False)
            self.register_buffer(f'partner_{name}', None, persistent=False)

    def fill(self, rgb: Tensor, ir: Tensor, rgb_to_ir: Tensor | None = None, ir_to_rgb: Tensor | None = None) -> None:
        """Begin an epoch.

        Args:
            rgb (Tensor): Centres of the RGB clusters at unit length, (K_rgb, C).
            ir (Tensor): (K_ir, C).
            rgb_to_ir (Tensor, optional): Partner of each RGB cluster among the IR clusters, (K_rgb,) int64: RGB images
                are compared with the IR memory. Defaults to None: they are not.
            ir_to_rgb (Tensor, optional): And of each IR cluster, (K_ir,). Defaults to None.
        """
        device = self.memory_rgb.device
        self.memory_rgb, self.memory_ir = rgb.to(device), ir.to(device)
        self.partner_rgb, self.partner_ir = (p if p is None else p.to(device) for p in (rgb_to_ir, ir_to_rgb))

    def state(self) -> dict[str, Tensor]:
        """What :meth:`fill` takes to go on from here."""
        names = dict(rgb='memory_rgb', ir='memory_ir', rgb_to_ir='partner_rgb', ir_to_rgb='partner_ir')
        tensors = {name: getattr(self, buffer) for name, buffer in names.items()}
        return {name: tensor.cpu() for name, tensor in tensors.items() if tensor is not None}

    def forward(self, output: ReIDOutput, labels: Tensor, is_rgb: Tensor | None) -> dict[str, Tensor]:
        """Args:
            output (ReIDOutput): Of N images; their test features are compared, (N, C).
            labels (Tensor): Clusters within the modality of each, (N,).
            is_rgb (Tensor): Which of them are RGB images, (N,) bool.

        Returns:
            dict[str, Tensor]: The weighted sum ``loss``; in it, unweighted, ``rgb``, ``ir``, and where there are
            partners ``cross``; each the mean over its images, ``cross`` of both ways the sum of both means.

        Raises:
            RuntimeError: When the memories are empty.
            ValueError: When it is not known which images are RGB.
        """
        if not len(self.memory_rgb) or not len(self.memory_ir):
            raise RuntimeError(
                'ClusterMemoryLoss has no clusters to compare with: PseudoLabelHook, one of custom_hooks, fills its '
                'memories when an epoch begins.'
            )
        if is_rgb is None:
            raise ValueError("ClusterMemoryLoss has to know which images are RGB: `modality` of each is 'rgb' or 'ir'.")
        features = F.normalize(at_least_float32(output.feature), dim=1)
        rgb, ir = (features[is_rgb], labels[is_rgb]), (features[~is_rgb], labels[~is_rgb])
        uses = {'rgb': [('rgb', *rgb)], 'ir': [('ir', *ir)]}
        if self.partner_rgb is not None:
            uses.setdefault('cross', []).append(('ir', rgb[0], self.partner_rgb[rgb[1]]))
        if self.partner_ir is not None:
            uses.setdefault('cross', []).append(('rgb', ir[0], self.partner_ir[ir[1]]))
        terms = {name: sum(self.compare(*use) for use in of_name) for name, of_name in uses.items()}
        for use in [use for of_name in uses.values() for use in of_name]:
            self.update(*use)
        loss = terms['rgb'] + terms['ir'] + self.cross_weight * terms.get('cross', 0)
        return {'loss': self.loss_weight * loss, **terms}

    def compare(self, memory: str, features: Tensor, clusters: Tensor) -> Tensor:
        """Cross-entropy of images against the memory 'rgb' or 'ir': unit vectors (N, C), clusters (N,) -> scalar."""
        memory = getattr(self, f'memory_{memory}').to(features)
        with torch.autocast(features.device.type, enabled=False):  # whose products have 8 or 11 bits
            return F.cross_entropy(features @ memory.T / self.temperature, clusters)  # (N, K)

    @torch.no_grad()
    def update(self, memory: str, features: Tensor, clusters: Tensor) -> None:
        """Draw the clusters' vectors to images, arguments as above; a backward pass still sees them as they were."""
        memory, name = getattr(self, f'memory_{memory}').clone(), f'memory_{memory}'
        features = features.to(memory)
        key = (features * memory[clusters]).sum(dim=1) if self.use_hard else torch.zeros_like(features[:, 0])
        order = key.argsort(stable=True)
        order = order[clusters[order].argsort(stable=True)]  # (N,): by cluster, the farthest image first
        of_order = clusters[order]
        turn = torch.arange(len(order), device=order.device) - torch.searchsorted(of_order, of_order)  # in its cluster
        for i in range(1 if self.use_hard else int(turn.max()) + 1):  # the i-th image of every cluster
            rows = order[turn == i]
            moved = self.momentum * memory[clusters[rows]] + (1 - self.momentum) * features[rows]
            memory[clusters[rows]] = F.normalize(moved, dim=1)
        setattr(self, name, memory)
