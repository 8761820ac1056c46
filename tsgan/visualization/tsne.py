"""Features of some people in the plane: modality as marker, identity as colour."""

from typing import TYPE_CHECKING

import numpy as np

from tsgan.evaluation import FeatureTable
from tsgan.evaluation.features import l2_normalize
from tsgan.extras import need
from tsgan.visualization.palette import IDENTITIES, plain_figure
from tsgan.visualization.rankings import identity_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = {'rgb': 'o', 'ir': '^'}


def choose_people(features: FeatureTable, number: int, seed: int = 0) -> FeatureTable:
    """The images of some people, drawn among those with images of both modalities where there are enough of them.

    Args:
        features (FeatureTable): All images.
        number (int): Of identities.
        seed (int): Of the draw. Defaults to 0.

    Raises:
        ValueError: When fewer than two images are left.
    """
    if number < 1:
        raise ValueError(f'expected at least one identity, not {number}.')
    everybody = np.unique(features.pids)
    both = np.intersect1d(*(features.pids[features.modalities == modality] for modality in MARKERS))
    people = both if len(both) >= number else everybody
    chosen = np.random.default_rng(seed).permutation(people)[:number]
    rows = np.flatnonzero(np.isin(features.pids, chosen))
    if len(rows) < 2:
        raise ValueError('one image alone has no neighbours: expected at least two.')
    columns = ('feats', 'pids', 'camids', 'frames', 'modalities', 'paths')
    tables = {name: getattr(features, name) for name in columns}
    return FeatureTable(**{name: None if column is None else column[rows] for name, column in tables.items()})


def embed(features: FeatureTable, perplexity: float = 30, seed: int = 0) -> np.ndarray:
    """t-SNE of features at unit length.

    Args:
        features (FeatureTable): N images.
        perplexity (float): About how many neighbours count; at most a third of the images. Defaults to 30.
        seed (int): Of scikit-learn's t-SNE. Defaults to 0.

    Returns:
        np.ndarray: (N, 2).

    Raises:
        ImportError: Without scikit-learn; says how to install it.
        ValueError: When the features are all equal: they tell nobody apart.
    """
    tsne = need('sklearn.manifold', 'vis').TSNE
    feats = l2_normalize(features.feats)
    if (feats == feats[0]).all():
        raise ValueError(f'All {len(feats)} features are equal: there is nothing to lay out.')
    perplexity = min(perplexity, max((len(feats) - 1) / 3, 1))
    init = 'pca' if feats.shape[1] > 1 else 'random'
    return tsne(perplexity=perplexity, init=init, random_state=seed).fit_transform(feats)


def plot_tsne(features: FeatureTable, places: np.ndarray) -> 'Figure':
    """Plot images in the plane: discs are RGB images, triangles IR ones, a colour is a person.

    Args:
        features (FeatureTable): N images.
        places (np.ndarray): (N, 2), as of :func:`embed`.

    Returns:
        Figure: Of Matplotlib. A person's name stands amid their images; beyond twelve people colours come again.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke

    figure = plain_figure((6.4, 5.6))
    axis = figure.subplots()
    names, people = identity_names(features), np.unique(features.pids)
    for number, pid in enumerate(people.tolist()):
        of_person = features.pids == pid
        colour = IDENTITIES[number % len(IDENTITIES)]
        for modality, marker in MARKERS.items():
            x, y = places[of_person & (features.modalities == modality)].T
            axis.scatter(x, y, s=26, c=colour, marker=marker, linewidths=0.5, edgecolors='#333333')
    for pid in people.tolist():  # above all marks
        halo = [withStroke(linewidth=2.5, foreground='white')]
        middle = np.median(places[features.pids == pid], axis=0)
        axis.annotate(names[pid], middle, ha='center', va='center', fontsize=8, fontweight='bold', path_effects=halo)
    axis.set(xticks=[], yticks=[], aspect='equal')
    axis.spines[:].set_visible(False)  # t-SNE's axes have no meaning
    style = dict(linestyle='', markerfacecolor='#bbbbbb', markeredgecolor='#333333', markersize=7)
    marks = [Line2D([], [], marker=marker, label=name.upper(), **style) for name, marker in MARKERS.items()]
    figure.legend(handles=marks, loc='outside upper left', ncols=2, frameon=False)
    return figure
