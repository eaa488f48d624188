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

"""
message_filters and cv_bridge: the real ones where they import and work, else our stand-ins.

    from zeroco_ros.ros import compat
    compat.ApproximateTimeSynchronizer([left, right], 10, 0.01)

The names below are looked up on first use: the library is imported, put to a small test with real
work (packages exist that import and then fail at every call), and the log says once which one is
in use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import functools
import importlib
from types import ModuleType
from typing import Any

import numpy as np

from zeroco_ros.ros import stand_in_bridge, stand_in_filters

FILTERS = (
    "SimpleFilter",
    "Subscriber",
    "Cache",
    "TimeSynchronizer",
    "ApproximateTimeSynchronizer",
)
BRIDGE = ("CvBridge", "CvBridgeError")


def __getattr__(name: str) -> Any:
    if name in FILTERS:
        return getattr(message_filters(), name)
    if name in BRIDGE:
        return getattr(cv_bridge(), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")


@functools.cache
def message_filters() -> ModuleType:
    """Return the message_filters module, or the stand-in."""
    return select("message_filters", FILTERS, check_filters, stand_in_filters)


@functools.cache
def cv_bridge() -> ModuleType:
    """Return the cv_bridge module, or the stand-in."""
    return select("cv_bridge", BRIDGE, check_bridge, stand_in_bridge)


def in_use() -> dict[str, str]:
    """Library name to the file that is used for it, for `zeroco info`."""
    return {
        "message_filters": str(message_filters().__file__),
        "cv_bridge": str(cv_bridge().__file__),
    }


def build_synchronizer(
    filters: Sequence[Any], queue_size: int, slop: float, callback: Callable[..., None]
) -> Any:
    """
    Return a synchronizer of `filters` that calls `callback(*messages)`.

    slop: seconds; 0 asks for equal stamps. The synchronizers keep the newest old stamps after a
    jump back in time and then starve: build a new one then.
    """
    library = message_filters()
    if slop > 0:
        synchronizer = library.ApproximateTimeSynchronizer(list(filters), queue_size, slop)
    else:
        synchronizer = library.TimeSynchronizer(list(filters), queue_size)
    synchronizer.registerCallback(callback)
    return synchronizer


def select(
    name: str,
    needed: Sequence[str],
    check: Callable[[ModuleType], None],
    stand_in: ModuleType,
) -> ModuleType:
    """
    Return library `name` if it imports, has the `needed` names and passes `check`; else stand_in.

    Logs one line that says which one it is, and why.
    """
    from rclpy.logging import get_logger

    log = get_logger("zeroco_ros.compat")
    try:
        library = importlib.import_module(name)
        for attribute in needed:
            getattr(library, attribute)
        check(library)
    except ModuleNotFoundError as error:
        log.info(f"{name}: using the built-in stand-in (no module {error.name})")
        return stand_in
    except Exception as error:  # whatever a broken library throws, ours works
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        log.warning(f"{name} imports but does not work ({reason}): using the built-in stand-in")
        return stand_in
    log.info(f"{name}: using {library.__file__}")
    return library


def check_filters(library: ModuleType) -> None:
    """Pair two messages of equal and two of nearly equal stamps. Raises when that fails."""
    from std_msgs.msg import Header

    class Stamped:
        def __init__(self, nanosec: int) -> None:
            self.header = Header()
            self.header.stamp.sec = 1
            self.header.stamp.nanosec = nanosec

    for build, late in (
        (lambda fs: library.TimeSynchronizer(fs, 2), 0),
        (lambda fs: library.ApproximateTimeSynchronizer(fs, 2, 0.1), 1000),
    ):
        left, right = library.SimpleFilter(), library.SimpleFilter()
        heard: list[tuple[Any, ...]] = []
        synchronizer = build([left, right])
        synchronizer.registerCallback(lambda *pair, heard=heard: heard.append(pair))
        first, second = Stamped(0), Stamped(late)
        left.signalMessage(first)
        right.signalMessage(second)
        if heard != [(first, second)]:
            raise RuntimeError("it does not pair two messages")


def check_bridge(library: ModuleType) -> None:
    """Convert an image to a message and back. Raises when that fails."""
    bridge = library.CvBridge()
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    message = bridge.cv2_to_imgmsg(pixels, encoding="bgr8")
    same = bridge.imgmsg_to_cv2(message, desired_encoding="passthrough")
    swapped = bridge.imgmsg_to_cv2(message, desired_encoding="rgb8")
    if not (np.array_equal(same, pixels) and np.array_equal(swapped, pixels[..., ::-1])):
        raise RuntimeError("an image comes back changed")
