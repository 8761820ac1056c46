from tsgan._dependencies import check_mm
from tsgan._mm_hubs import tell
from tsgan.machine import share_cores
from tsgan.version import __version__

check_mm()
tell()
share_cores()

__all__ = ['__version__']
