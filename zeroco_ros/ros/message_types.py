"""Message types by name."""

from __future__ import annotations

import importlib
from typing import Any

from zeroco_ros.errors import BackendError


def message_class(message_type: str) -> Any:
    """The rclpy class of a type such as sensor_msgs/msg/Image.

    Raises BackendError when its package is not installed for this Python.
    """
    package, _, name = message_type.partition("/msg/")
    try:
        module = importlib.import_module(f"{package}.msg")
        return getattr(module, name)
    except (ImportError, AttributeError, ValueError):
        raise BackendError(f"the Python package of {message_type} is not installed") from None
