import numpy as np
import scipy.linalg
import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from tsgan.registry import MODELS


@MODELS.register_module()
class XQDA(nn.Module):
    """Cross-view quadratic discriminant analysis: a learned Mahalanobis distance (Liao et al., CVPR 2015).

    The metric is kept as a projection P: the Euclidean distance of P^T x and P^T y is the learned one of x and y, so
    that features behind it are compared as they are, ``normalize=False`` in the evaluator. The projection is empty
    until :meth:`fit`, or a checkpoint, fills it.

    Args:
        regularization (float): lambda, added to the diagonal of the covariance of pairs of one identity. Defaults to
            0.001.
    """

    def __init__(self, regularization: float = 0.001) -> None:
        super().__init__()
        self.regularization = regularization
        self.register_buffer('projection', torch.empty(0, 0))

    def forward(self, features: Tensor) -> Tensor:
        """Args:
            features (Tensor): (N, D).

        Returns:
            Tensor: (N, d).

        Raises:
            RuntimeError: When no projection of D-dimensional features has been learned.
        """
        if len(self.projection) != features.shape[1]:
            raise RuntimeError(
                f'the metric has been learned on features of length {len(self.projection)}, and gets some of length '
                f'{features.shape[1]}: use the checkpoint that this config trains.'
            )
        return features @ self.projection

    def fit(self, features: np.ndarray, labels: np.ndarray, is_rgb: np.ndarray) -> None:
        """Learn the metric from all pairs of an RGB and an IR image.

        Args:
            features (np.ndarray): (N, D).
            labels (np.ndarray): Identities, (N,).
            is_rgb (np.ndarray): Which images are RGB, (N,) of bool.
        """
        projection = xqda(features, labels, is_rgb, self.regularization)
        print_log(f'XQDA of {len(features)} images: {projection.shape[1]} of {len(projection)} dimensions', 'current')
        self.projection = torch.from_numpy(projection).to(self.projection)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args) -> None:
        # as large as the checkpoint has it: how many dimensions there are is learned
        name = f'{prefix}projection'
        if name in state_dict:
            self.projection = self.projection.new_empty(state_dict[name].shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


def xqda(features: np.ndarray, labels: np.ndarray, is_rgb: np.ndarray, regularization: float = 0.001) -> np.ndarray:
    """The projection P whose P P^T is XQDA's metric M.

    Differences of RGB and IR features have a covariance S_I where both show one person, and S_E where they do not. W
    are the generalised eigenvectors of (S_E, S_I + lambda), with W^T (S_I + lambda) W = 1 and eigenvalues w > 1. On
    them, M = W ((W^T (S_I + lambda) W)^-1 - (W^T S_E W)^-1) W^T = W diag(1 - 1/w) W^T: positive, hence the square of
    P = W diag(1 - 1/w)^0.5. (The published code takes singular vectors of (S_I + lambda)^-1 S_E for W.)

    Args:
        features (np.ndarray): (N, D). Where D > N, all is done in the N dimensions that they span, with the same
            result.
        labels (np.ndarray): Identities, (N,).
        is_rgb (np.ndarray): Which images are RGB, (N,) of bool.
        regularization (float): lambda. Defaults to 0.001.

    Returns:
        np.ndarray: P, (D, d), strongest direction first, d as many as there are eigenvalues > 1.

    Raises:
        ValueError: When there are no pairs of one kind, or no eigenvalue > 1.
    """
    basis = None
    if features.shape[1] > len(features):
        basis, coordinates = scipy.linalg.qr(features.T, mode='economic')  # (D, N), (N, N)
        features = coordinates.T
    intra, extra = pair_covariances(features.astype(np.float64), labels, is_rgb)
    intra[np.diag_indices_from(intra)] += regularization
    values, vectors = scipy.linalg.eigh(extra, intra, subset_by_value=(1, np.inf))
    if not len(values):
        raise ValueError(
            'XQDA finds no direction in which RGB and IR features of two identities differ more than those of one (no '
            'eigenvalue above 1): it needs more training images, or less regularization.'
        )
    projection = (vectors * np.sqrt(1 - 1 / values))[:, ::-1].astype(features.dtype)
    return projection if basis is None else basis @ projection


def pair_covariances(features: np.ndarray, labels: np.ndarray, is_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariances of the differences of all RGB-IR pairs of one identity, and of all pairs of two.

    By sums over images and identities, not over pairs: with c_ij = 1 for the pairs that count, sum_ij c_ij (x_i - y_j)
    (x_i - y_j)^T = sum_i (sum_j c_ij) x_i x_i^T + sum_j (sum_i c_ij) y_j y_j^T - X^T C Y - (X^T C Y)^T.

    Args:
        features (np.ndarray): (N, D).
        labels (np.ndarray): Identities, (N,).
        is_rgb (np.ndarray): Which images are RGB, (N,) of bool.

    Returns:
        tuple[np.ndarray, np.ndarray]: Of one identity, and of two, each (D, D).

    Raises:
        ValueError: When there are no pairs of one kind.
    """
    identities = np.unique(labels)[:, None]  # (K, 1)
    x, y = features[is_rgb], features[~is_rgb]  # (n, D), (m, D)
    x_shows, y_shows = ((labels[side] == identities).astype(float) for side in (is_rgb, ~is_rgb))  # (K, n), (K, m)
    x_counts, y_counts = x_shows.sum(axis=1), y_shows.sum(axis=1)  # (K,)
    num_intra = x_counts @ y_counts
    num_extra = len(x) * len(y) - num_intra
    if not num_intra or not num_extra:
        raise ValueError(
            f'XQDA learns from RGB-IR pairs of one identity and of two; of {len(x)} RGB and {len(y)} IR images, there '
            f'are {num_intra:.0f} pairs of one and {num_extra:.0f} of two.'
        )

    def scatter(x_partners: np.ndarray | int, y_partners: np.ndarray | int, cross: np.ndarray) -> np.ndarray:
        return (x.T * x_partners) @ x + (y.T * y_partners) @ y - cross - cross.T

    # an image of identity k is in as many pairs of one identity as k has images on the other side
    intra = scatter(y_counts @ x_shows, x_counts @ y_shows, (x_shows @ x).T @ (y_shows @ y))
    both = scatter(len(y), len(x), np.outer(x.sum(axis=0), y.sum(axis=0)))
    return intra / num_intra, (both - intra) / num_extra
