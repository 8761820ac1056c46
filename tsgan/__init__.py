from tsgan._dependencies import check_mm
from tsgan._mm_hubs import tell
from tsgan.machine import let_threads_sleep
from tsgan.version import __version__

check_mm()
tell()
let_threads_sleep()

__all__ = ['__version__']
