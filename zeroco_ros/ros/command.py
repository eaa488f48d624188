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
The command line of a node's executable: help and listing, then the node itself.

Imports neither rclpy nor torch, so that help and listing work without them and a missing one is
told in one sentence.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
import importlib
import sys
import textwrap

from zeroco_ros.errors import BackendError
from zeroco_ros.ros.environment import require_rclpy
from zeroco_ros.ros.parameter_table import ParameterTable
from zeroco_ros.ros.topics import TopicSpec

_INDENT = {"initial_indent": "      ", "subsequent_indent": "      "}


@dataclass(frozen=True)
class NodeCommand:
    """One executable. node: the class as `module:Class`, imported when it is to run."""

    name: str
    description: str
    topics: Sequence[TopicSpec]
    parameters: ParameterTable
    node: str

    def __call__(self, arguments: Sequence[str] | None = None) -> int:
        """Run the node until it is stopped; the exit code."""
        given = list(sys.argv[1:] if arguments is None else arguments)
        options = self._parser().parse_args(_own(given))
        if options.list_parameters:
            print(self.parameters.listing())
            return 0
        try:
            require_rclpy()
        except BackendError as error:
            print(f"{self.name}: {error}", file=sys.stderr)
            return 2
        from zeroco_ros.ros.process import run

        module, _, kind = self.node.partition(":")
        return run(getattr(importlib.import_module(module), kind), given)

    def _parser(self) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(
            prog=self.name,
            description=self.description,
            epilog=self._topics(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument(
            "--list-parameters", action="store_true", help="print every parameter and leave"
        )
        parser.add_argument(
            "--ros-args", nargs="*", metavar="ARGUMENT", help="remappings, parameters, log levels"
        )
        return parser

    def _topics(self) -> str:
        """Return the topic table for a terminal."""
        lines = ["topics (remap them with --ros-args -r image:=/camera/image_raw):"]
        for topic in self.topics:
            head = f"  {topic.name}  {topic.message} {topic.encoding}".rstrip()
            arrow = "subscribed" if topic.direction == "in" else "published"
            lines += [f"{head}, {arrow}", *textwrap.wrap(topic.description, 88, **_INDENT)]
        lines.append(
            "set a parameter with --ros-args -p name:=value; --list-parameters lists them"
        )
        return "\n".join(lines)


def _own(arguments: Sequence[str]) -> list[str]:
    """Return what is not between --ros-args and -- (or the end): this program's own arguments."""
    own: list[str] = []
    inside = False
    for argument in arguments:
        if argument == "--ros-args":
            inside = True
        elif inside and argument == "--":
            inside = False
        elif not inside:
            own.append(argument)
    return own
