# Copyright 2026 zeroco_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Keep freed memory in the process: returning it costs more than the arithmetic does."""

from __future__ import annotations

import ctypes
import ctypes.util

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3


def keep_freed_memory() -> bool:
    """
    Tell glibc to reuse freed blocks instead of unmapping them; False where it is another libc.

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
