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
Errors that a user can act on.

Every message says what was given, what is allowed and what to do. The `zeroco` command prints them
as one line and exits with code 2; a node logs them and refuses the transition.
"""


class ZerocoError(Exception):
    """Base of all errors caused by input rather than by a fault in this package."""


class ImageError(ZerocoError):
    """An image or flow file that is missing, unreadable, too small or of an unsupported kind."""


class WeightsError(ZerocoError):
    """A model file that is missing, truncated, unsafe or of an unknown architecture."""


class ConfigError(ZerocoError):
    """An option or parameter outside its allowed values."""


class BagError(ZerocoError):
    """A bag that is missing, truncated or holds nothing usable."""


class BackendError(ZerocoError):
    """A device, library or engine that is needed and is not available."""
