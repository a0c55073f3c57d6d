"""What the allocator of the C library is told, so that memory that is free goes back to the system.

A service that runs for weeks makes and drops arrays of all sizes in a dozen threads. Left to itself the GNU C library keeps an arena per thread, and
raises the size from which blocks are mapped on their own to that of the largest one freed, up to 32 MB: from then on arrays lie between small things
that stay, and the heap grows without anything in it. The number of live objects and of bytes in use stays the same meanwhile.
"""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_MAPPED_FROM_BYTES = 256 * 1024
_ARENAS = 2


def give_memory_back() -> bool:
    """Map larger blocks on their own, and keep few arenas; to be called before there are other threads.

    Returns
    -------
    bool
        Whether there was such an allocator to be told.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        # Another C library.
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)) and bool(mallopt(_M_ARENA_MAX, _ARENAS))
