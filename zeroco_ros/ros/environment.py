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
The process environment that rclpy needs, settled before rclpy is imported.

Two homes (docs: installation). With a ROS 2 distribution sourced, nothing is touched. With rclpy
from PyPI wheels in a plain Python environment, what a distribution's setup script would have
exported is filled in, each variable only where the user has not set it:

AMENT_PREFIX_PATH              gets this environment's prefix appended, where the wheels install
FASTDDS_DEFAULT_PROFILES_FILE  config/fastdds_local.xml: without it, Fast DDS between processes
                               loses most best-effort images. It keeps traffic on this machine,
                               so it is left out as soon as a setting shows other intentions
ROS_LOG_DIR                    a temporary folder, only where ~/.ros cannot be written
"""

from __future__ import annotations

from collections.abc import MutableMapping
import importlib
import importlib.util
import os
from pathlib import Path
import sys
import tempfile
from types import ModuleType

from zeroco_ros.errors import BackendError

PACKAGE = "zeroco_ros"
PROFILE = "fastdds_local.xml"
LIBRARY_PATH = "LD_LIBRARY_PATH"
BOOTSTRAPPED = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"
MISSING = (
    "rclpy, the ROS 2 client library, cannot be imported ({reason}); it is needed for everything "
    "on topics: source a ROS 2 distribution, or `pip install 'zeroco_ros[ros]'` (x86-64 Linux)"
)

# Any of these means that the user has arranged the middleware: the local profile stays out.
OWN_MIDDLEWARE = (
    "FASTDDS_DEFAULT_PROFILES_FILE",
    "FASTRTPS_DEFAULT_PROFILES_FILE",
    "FASTDDS_BUILTIN_TRANSPORTS",
    "ROS_DISCOVERY_SERVER",
    "ROS_STATIC_PEERS",
)

Environment = MutableMapping[str, str]


def prepare(environment: Environment | None = None) -> None:
    """
    Fill in what is missing in `environment` (default: this process's). Safe to repeat.

    Must run before rclpy is imported; importing any module of zeroco_ros.ros does it.
    """
    environment = os.environ if environment is None else environment
    if not wheels_in_use():
        return
    prefix = str(Path(sys.prefix))
    known = [part for part in environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if part]
    if prefix not in known:
        environment["AMENT_PREFIX_PATH"] = os.pathsep.join([*known, prefix])
    profile = local_profile()
    if profile is not None and not _arranges_middleware(environment):
        environment["FASTDDS_DEFAULT_PROFILES_FILE"] = str(profile)
    if not _log_folder_writable(environment):
        environment["ROS_LOG_DIR"] = str(Path(tempfile.gettempdir()) / f"ros-log-{os.getuid()}")


def require_rclpy() -> ModuleType:
    """Import and return rclpy; BackendError with one sentence where that is not possible."""
    prepare()
    if wheels_in_use() and _library_path_lost():
        raise BackendError(
            f"{BOOTSTRAPPED} is set but {LIBRARY_PATH} lacks {Path(sys.prefix) / 'lib'}, so rclpy "
            f"cannot load: pass both variables to child processes, or unset {BOOTSTRAPPED}"
        )
    try:
        return importlib.import_module("rclpy")
    except ImportError as error:
        raise BackendError(MISSING.format(reason=str(error).splitlines()[0])) from error


def wheels_in_use() -> bool:
    """Give True when rclpy comes from this Python environment and not from a ROS distribution."""
    try:
        spec = importlib.util.find_spec("rclpy")
    except (ImportError, ValueError):
        return False
    if spec is None or spec.origin is None:
        return False
    return Path(sys.prefix).resolve() in Path(spec.origin).resolve().parents and (
        importlib.util.find_spec("ros_wheels_bootstrapper") is not None
    )


def child_environment(**extra: str) -> dict[str, str]:
    """
    Return a copy of the environment for a child process that uses rclpy, with `extra` added.

    The wheels restart Python once to set the library path and leave a mark that this was done;
    a child must inherit both or neither, and a half pair is dropped here.
    """
    child = dict(os.environ)
    prepare(child)
    if wheels_in_use() and (BOOTSTRAPPED not in child or _library_path_lost(child)):
        child.pop(BOOTSTRAPPED, None)
    child.update(extra)
    return child


def share_file(relative: str) -> Path | None:
    """
    Return a file of the package's share folder, e.g. "config/flow.yaml".

    Source tree or installed.
    """
    source = Path(__file__).resolve().parents[2]
    if (source / "package.xml").is_file() and (source / relative).is_file():
        return source / relative
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    for prefix in filter(None, prefixes):
        path = Path(prefix) / "share" / PACKAGE / relative
        if path.is_file():
            return path
    return None


def local_profile() -> Path | None:
    """Where the shipped Fast DDS profile for one machine is."""
    return share_file(f"config/{PROFILE}")


def _arranges_middleware(environment: Environment) -> bool:
    if any(name in environment for name in OWN_MIDDLEWARE):
        return True
    if "fastrtps" not in environment.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp"):
        return True
    if environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST") != "LOCALHOST":
        return True
    # Fast DDS reads a file of this name in the working directory by itself.
    return Path("DEFAULT_FASTDDS_PROFILES.xml").is_file()


def _library_path_lost(environment: Environment | None = None) -> bool:
    environment = os.environ if environment is None else environment
    parts = environment.get(LIBRARY_PATH, "").split(os.pathsep)
    return BOOTSTRAPPED in environment and str(Path(sys.prefix) / "lib") not in parts


def _log_folder_writable(environment: Environment) -> bool:
    """Return True also when the user chose a folder: then an error about it is his to see."""
    if "ROS_LOG_DIR" in environment or "ROS_HOME" in environment:
        return True
    folder = Path(environment.get("HOME", "~")).expanduser() / ".ros" / "log"
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK)
