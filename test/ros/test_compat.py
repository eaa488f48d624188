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

"""compat: the real library when it works, else a stand-in that behaves the same."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="rclpy is not importable: no ROS 2 here")

from zeroco_ros.ros import compat, stand_in_bridge, stand_in_filters
from zeroco_ros.ros.stand_in_bridge import CvBridge, CvBridgeError
from zeroco_ros.ros.stand_in_filters import ApproximateTimeSynchronizer, TimeSynchronizer


def fake_library(name: str, content: dict[str, Any]) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = f"/somewhere/{name}.py"
    module.__dict__.update(content)
    return module


class _FailingBridge:
    """Like the package cvbridge3: imports, and fails at every call."""

    def cv2_to_imgmsg(self, *_args: Any, **_kwargs: Any) -> None:
        raise AttributeError("module has no attribute 'boost'")


class _WrongBridge(CvBridge):
    """Converts without an error, to something else."""

    def imgmsg_to_cv2(self, *args: Any, **kwargs: Any) -> Any:
        return super().imgmsg_to_cv2(*args, **kwargs)[::-1]


def test_a_library_that_works_is_used(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    content = {"CvBridge": CvBridge, "CvBridgeError": CvBridgeError}
    library = fake_library("cv_bridge", content)
    monkeypatch.setitem(sys.modules, "cv_bridge", library)
    chosen = compat.select("cv_bridge", compat.BRIDGE, compat.check_bridge, stand_in_bridge)
    assert chosen is library
    assert "cv_bridge: using /somewhere/cv_bridge.py" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"CvBridge": _FailingBridge, "CvBridgeError": TypeError}, "AttributeError: module has"),
        ({"CvBridge": _WrongBridge, "CvBridgeError": TypeError}, "an image comes back changed"),
        ({"CvBridge": CvBridge}, "has no attribute 'CvBridgeError'"),
    ],
)
def test_a_library_that_only_imports_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    content: dict[str, Any],
    told: str,
) -> None:
    monkeypatch.setitem(sys.modules, "cv_bridge", fake_library("cv_bridge", content))
    chosen = compat.select("cv_bridge", compat.BRIDGE, compat.check_bridge, stand_in_bridge)
    assert chosen is stand_in_bridge
    log = capfd.readouterr().err
    assert "WARN" in log
    assert "imports but does not work" in log
    assert told in log


def test_filters_that_never_pair_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(TimeSynchronizer):
        def add(self, *_args: Any) -> None:
            pass

    content = {name: getattr(stand_in_filters, name) for name in compat.FILTERS}
    content["TimeSynchronizer"] = Deaf
    monkeypatch.setitem(sys.modules, "message_filters", fake_library("message_filters", content))
    chosen = compat.select(
        "message_filters", compat.FILTERS, compat.check_filters, stand_in_filters
    )
    assert chosen is stand_in_filters


def test_a_missing_library_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "message_filters", None)
    compat.message_filters.cache_clear()
    try:
        assert compat.TimeSynchronizer is TimeSynchronizer
        assert compat.ApproximateTimeSynchronizer is ApproximateTimeSynchronizer
        assert compat.in_use()["message_filters"] == stand_in_filters.__file__
    finally:
        compat.message_filters.cache_clear()
    log = capfd.readouterr().err
    assert len(re.findall("message_filters: using the built-in stand-in", log)) == 1


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="has no attribute Chain"):
        _ = compat.Chain
