"""Keep freed memory in the process: returning it costs more than the arithmetic does."""

from __future__ import annotations

import ctypes
import ctypes.util

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed blocks instead of unmapping them; False where it is another libc.

    Tensors of a few megabytes are otherwise mapped and zeroed by the kernel on every operation:
    rendering and training ran 1.7 times slower without this.
    """
    try:
        mallopt = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    limit = 2**31 - 1
    options = ((M_MMAP_THRESHOLD, 2**30), (M_TRIM_THRESHOLD, limit), (M_TOP_PAD, 2**26))
    results = [mallopt(option, value) for option, value in options]
    return all(result == 1 for result in results)
