from tsgan._dependencies import check_mm
from tsgan.version import __version__

check_mm()

__all__ = ['__version__']
