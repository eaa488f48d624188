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

"""Numbers as text: three significant digits, a unit, a sign where it matters."""

from __future__ import annotations

from collections.abc import Sequence
import math

NONE = "–"  # what is not known
MINUS = "\u2212"
THIN = "\u202f"  # a narrow space that does not break
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 3) -> str:
    """Return `digits` significant digits, with no exponent below a million."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)) + 1e-12)
    if power >= 6 or power < -5:
        return f"{value:.{digits - 1}e}".replace("-", MINUS)
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{value:.0f}".replace("-", MINUS)
    return f"{value:.{max(digits - 1 - power, 0)}f}".replace("-", MINUS)


def signed(value: float | None, digits: int = 3) -> str:
    """Write a number as `number` does, with a + before what is above 0."""
    text = number(value, digits)
    return f"+{text}" if value is not None and value > 0 and text != NONE else text


def percent(share: float | None) -> str:
    """Write a share of 1 as percent with its sign: a relative difference."""
    if share is None or not math.isfinite(share):
        return NONE
    sign = "+" if share > 0 else MINUS if share < 0 else ""
    size = 100 * abs(share)
    return f"{sign}{size:.2g} %" if size < 9.95 else f"{sign}{size:.0f} %"


def with_unit(text: str, unit: str) -> str:
    """Join a number and its unit so that no line ends between them."""
    return f"{text}\u00a0{unit}" if unit and text != NONE else text


def ticks(values: Sequence[float]) -> list[str]:
    """Label the ticks of an axis, all with the same number of decimals."""
    if any(one != 0 and not 1e-4 <= abs(one) < 1e5 for one in values):
        return [_power(one) for one in values]
    decimals = max((len(f"{one:.6g}".partition(".")[2]) for one in values), default=0)
    if len(values) > 2 and values[0] > 0 and values[-1] / values[0] >= 50:
        decimals = -1  # a logarithmic axis: 0.01 0.1 1 10
    labels = [f"{one:.6g}" if decimals < 0 else f"{one:.{decimals}f}" for one in values]
    return [one.replace("-", MINUS) for one in labels]


def _power(value: float) -> str:
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)) + 1e-9)
    front = value / 10.0**power
    raised = f"10{str(power).translate(_SUPERSCRIPT)}"
    if abs(front - 1) < 1e-9:
        return raised
    return f"{front:.3g}·{raised}".replace("-", MINUS)


def seconds(nanoseconds: int) -> str:
    """Write a stamp as seconds with all nine decimals, exactly."""
    sign = MINUS if nanoseconds < 0 else ""
    whole, part = divmod(abs(nanoseconds), 1_000_000_000)
    return f"{sign}{whole}.{part:09d}"
