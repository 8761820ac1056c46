from tsgan._dependencies import check_mm
from tsgan._mm_hubs import tell
from tsgan.version import __version__

check_mm()
tell()

__all__ = ['__version__']
