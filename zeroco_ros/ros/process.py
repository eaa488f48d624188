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

"""A node as a process: start, spin, stop on a signal, say with the exit code how it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import os
import signal
import sys
from types import FrameType
from typing import Any, Protocol

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from zeroco_ros.engine.build_job import abandoned
from zeroco_ros.errors import ConfigError, ZerocoError

PATIENCE = 0.2  # seconds until a signal is noticed when nothing else happens
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ManagedProcessNode(Protocol):
    """What `run` needs of a node beside what rclpy gives it."""

    finished: bool
    fatal: str
    loading: bool
    stopping: bool

    def close(self) -> None:
        """Release everything."""

    def destroy_node(self) -> None:
        """As rclpy has it."""


class StopSignals:
    """
    SIGINT and SIGTERM ask the loop to end; the second one ends the process as usual.

    rclpy's own handlers would invalidate the context at once, under the feet of an inference that
    is about to publish. While the node loads its model nothing can be half-done, so loading is
    interrupted.
    """

    def __init__(self) -> None:
        self.requested = False
        self.node: ManagedProcessNode | None = None
        self._before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        for number in STOP_SIGNALS:
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        if self.node is not None:
            self.node.stopping = True
            if self.node.loading:
                raise KeyboardInterrupt

    def restore(self) -> None:
        """Put the handlers back that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)


def run(make_node: Callable[[], Any], arguments: Sequence[str]) -> int:
    """
    Spin the node until a signal, its shutdown transition or the end of ROS; exit code.

    arguments: the command line after the program's name. 0: ended as asked. 1: it could not go
    on, and said why in the log. 2: not started, with one line on stderr that says why.
    """
    signals = StopSignals()
    node: Any = None
    try:
        _initialize(arguments)
        node = signals.node = make_node()
        _spin(node, signals)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except ZerocoError as error:
        print(f"not started: {error}", file=sys.stderr)
        return 2
    finally:
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
        signals.restore()
    code = 1 if node is not None and node.fatal else 0
    if (
        abandoned()
    ):  # an engine's build that does not listen: Python's clean-up would crash with it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _initialize(arguments: Sequence[str]) -> None:
    """Start ROS with --ros-args and the like. Raises ConfigError when it does not take them."""
    try:
        rclpy.init(args=[sys.argv[0], *arguments], signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # RCLError, UnknownROSArgsError: no public common name
        text = str(error).splitlines()[0].removeprefix("failed to initialize rcl: ")
        raise ConfigError(text) from error


def _spin(node: Any, signals: StopSignals) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok() and not (signals.requested or node.finished or node.fatal):
            executor.spin_once(PATIENCE)
    finally:
        executor.remove_node(node)
        executor.shutdown()
