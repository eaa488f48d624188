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

"""Read "CroCoNet(enc_depth=12, ...)" as data: the official files carry their model as code."""

from __future__ import annotations

import ast
import math
from typing import Any

from zeroco_ros.errors import WeightsError

_NUMBERS = {"inf": math.inf, "nan": math.nan}
_LONGEST = 10_000  # a real one has some 400 characters; ast recurses on what it is given


def parse_model_string(text: str) -> tuple[str, dict[str, Any]]:
    """
    Return the class name and keyword arguments of a call written as text; nothing is evaluated.

    Allowed are literals, tuples and lists of them, a minus sign and the name `inf`. Raises
    WeightsError for anything else: other names, calls, attributes, positional arguments.
    """
    if len(text) > _LONGEST:
        raise WeightsError(f"model description of {len(text)} characters; at most {_LONGEST}")
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        call = None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise WeightsError(f"model description {_shorten(text)}: not of the form Name(key=value)")
    arguments: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise WeightsError(f"model description {_shorten(text)}: '**' is not allowed")
        arguments[keyword.arg] = _literal(keyword.value, keyword.arg)
    return call.func.id, arguments


def _literal(node: ast.expr, name: str) -> Any:
    """Return a constant, a negated number, `inf` or a tuple or list of such."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in _NUMBERS:
        return _NUMBERS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand, name)
        if isinstance(value, (int, float)):
            return -value
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_literal(element, name) for element in node.elts)
    raise WeightsError(
        f"model description: {name}={_shorten(ast.unparse(node))} is not a plain value; "
        "only numbers, text, tuples and inf are read, nothing is evaluated"
    )


def _shorten(text: str) -> str:
    """Text for a one-line message."""
    text = repr(text)
    return text if len(text) <= 80 else f"{text[:76]}...'"
