"""Colours that people with any colour vision tell apart, and how figures look."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design", 2008, without its yellow, which is faint on white
RUNS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
# Paul Tol's twelve, "Colour Schemes", 2021, of his discrete rainbow; marks have a dark edge, for the light ones
IDENTITIES = (
    *('#1965B0', '#DC050C', '#4EB265', '#F7F056', '#882E72', '#F1932D'),
    *('#7BAFDE', '#CAE0AB', '#AE76A3', '#E8601C', '#D1BBD7', '#72190E'),
)


def plain_figure(size: tuple[float, float]) -> 'Figure':
    """An empty figure, width and height in inches, that no window shows; a notebook shows it as its last line."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout='constrained')
