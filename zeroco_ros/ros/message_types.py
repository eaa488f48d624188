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

"""Message types by name."""

from __future__ import annotations

import importlib
from typing import Any

from zeroco_ros.errors import BackendError


def message_class(message_type: str) -> Any:
    """
    Return the rclpy class of a type such as sensor_msgs/msg/Image.

    Raises BackendError when its package is not installed for this Python.
    """
    package, _, name = message_type.partition("/msg/")
    try:
        module = importlib.import_module(f"{package}.msg")
        return getattr(module, name)
    except (ImportError, AttributeError, ValueError):
        raise BackendError(f"the Python package of {message_type} is not installed") from None
