"""What a node does when it is asked to configure and cannot."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import node_scenes as scenes


def refusal(idle: SimpleNamespace, **values: Any) -> str:
    """Set parameters, try to configure: must fail, leave the node as it was and say why.

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
