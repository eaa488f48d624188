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

"""What a node does when it is asked to configure and cannot."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import node_scenes as scenes


def refusal(idle: SimpleNamespace, **values: Any) -> str:
    """
    Set parameters, try to configure: must fail, leave the node as it was and say why.

    Returns the one line that the node logged, which diagnostics must show too.
    """
    path = idle.subject.path
    for name, value in values.items():
        assert scenes.set_parameter(idle.probe, name, value, path).successful
    start = len(idle.node.log)
    assert not scenes.transition(idle.probe, "configure", path)
    assert scenes.state(idle.probe, path) == "unconfigured"
    lines = [line for line in idle.node.log[start:].splitlines() if "cannot configure: " in line]
    assert len(lines) == 1
    reason = lines[0].split("cannot configure: ")[1]
    idle.probe.wait_until(
        lambda: reason in scenes.status(idle.diagnostics)["message"], "diagnostics to say why"
    )
    assert scenes.status(idle.diagnostics)["level"] == "2"
    return reason
