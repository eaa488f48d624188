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
The `zeroco` command: registers one sub-command per verb and turns errors into one line.

Exit codes: 0 done; 1 a fault of this package; 2 something the user can put right (a wrong option,
a file that cannot be used, a library that is missing); 130 interrupted; 141 the reader of our
output went away.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import importlib
import os
import sys
from typing import NoReturn

from zeroco_ros import __version__
from zeroco_ros.errors import ZerocoError

VERBS = (
    "flow",
    "depth",
    "play",
    "replay",
    "record",
    "report",
    "demo",
    "train",
    "eval",
    "export",
    "build",
    "check",
    "soak",
    "bench",
    "info",
)
_DESCRIPTION = """\
Dense correspondence from cross-attention, for images, bags and ROS 2.
`zeroco VERB --help` explains a verb; `zeroco info` says what this machine can do."""
_DEBUG_HELP = "show the traceback of an error (or set ZEROCO_DEBUG=1)"


class _Parser(argparse.ArgumentParser):
    """argparse prints the usage and the error; one line is easier to read and to test."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: this process's) and return the exit code."""
    try:
        code = _run(_parser().parse_args(argv))
        sys.stdout.flush()
    except BrokenPipeError:
        # the interpreter flushes stdout once more at exit and would complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="zeroco",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"zeroco {__version__}")
    parser.add_argument("--debug", action="store_true", help=_DEBUG_HELP)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in VERBS:
        command = importlib.import_module(f"zeroco_ros.commands.{verb}")
        child = verbs.add_parser(
            verb,
            help=command.HELP,
            description=getattr(command, "DESCRIPTION", command.HELP),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(child)
        child.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=_DEBUG_HELP
        )
        child.set_defaults(run=command.run)
    return parser


def _run(args: argparse.Namespace) -> int:
    """Run the chosen verb; whatever goes wrong becomes one line on stderr and an exit code."""
    debug = args.debug or os.environ.get("ZEROCO_DEBUG", "") not in ("", "0")
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return _fail(args.verb, "interrupted", 130)
    except BrokenPipeError:
        raise
    except Exception as error:
        if debug:
            raise
        if isinstance(error, ZerocoError):
            return _fail(args.verb, str(error), 2)
        if isinstance(error, ModuleNotFoundError) and not _is_ours(error.name):
            text = f"the Python package {error.name} is missing (zeroco info says how to install)"
            return _fail(args.verb, text, 2)
        if isinstance(error, MemoryError):
            return _fail(args.verb, "out of memory: use smaller images or a smaller --size", 2)
        text = f"fault in zeroco_ros: {type(error).__name__}: {error}"
        return _fail(args.verb, f"{text} (ZEROCO_DEBUG=1 shows where; please report it)", 1)


def _is_ours(module: str | None) -> bool:
    return module is None or module.split(".")[0] == "zeroco_ros"


def _fail(verb: str, text: str, code: int) -> int:
    wipe = "\r\x1b[K" if sys.stderr.isatty() else ""  # a progress bar may stand there
    print(f"{wipe}zeroco {verb}: {' '.join(text.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
