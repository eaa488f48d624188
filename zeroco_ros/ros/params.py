"""Every parameter of flow_node in one table, with what is allowed and when it may change.

Nothing here imports rclpy: the documentation, its tests and `flow_node --list-parameters` read the
same table that `parameter_server` declares and enforces.
"""

from __future__ import annotations

from collections.abc import Mapping

from zeroco_ros.ros.parameter_spec import (
    CHANGEABLE_TEXT,
    ParameterSpec,
    Value,
    choice,
    number,
)

SMALLEST_SIDE = 32
SWITCH = ("preset", "enabled", "disabled")
# Which image the flow may live on, per pairing; the first one is meant by "auto".
REFERENCES = {"temporal": ("current", "previous"), "synchronized": ("left", "right")}

PARAMETERS: tuple[ParameterSpec, ...] = (
    # --- the process ---
    ParameterSpec(
        "autostart",
        True,
        "Configure and activate by itself; false waits for the lifecycle services.",
        "start",
    ),
    number(
        "diagnostics_period", 1.0, 0.05, 60.0, "Seconds between messages on /diagnostics.", "start"
    ),
    number(
        "input_timeout",
        5.0,
        0.1,
        3600.0,
        "Seconds without an image, while one is wanted, until diagnostics warn.",
        "live",
    ),
    # --- the model ---
    choice(
        "preset",
        ("default", "paper", "fast", "accurate"),
        "How the flow is computed: a named set of matching and refinement options.",
        "configure",
    ),
    ParameterSpec(
        "weights",
        "default",
        "Name of shipped weights or path of a model file.",
        "configure",
        pattern=r"\S(.*\S)?",
        pattern_text="a name of shipped weights or a path",
    ),
    choice(
        "device",
        ("auto", "cpu", "cuda"),
        "Where the network runs; auto takes the GPU when there is one.",
        "configure",
    ),
    choice(
        "precision",
        ("auto", "fp32", "bf16", "fp16"),
        "Number format of the network; auto takes what is fast on the device.",
        "configure",
    ),
    number(
        "threads",
        0,
        0,
        256,
        "CPU threads of the network; 0 leaves it to the library.",
        "configure",
    ),
    number(
        "max_side",
        0,
        0,
        4096,
        "Longest side in pixels at which the network sees an image; 0 is the preset's.",
        "configure",
    ),
    choice(
        "correlation",
        ("preset", "cross_attention", "encoder", "decoder"),
        "Which features of the network are compared.",
        "configure",
    ),
    number(
        "beta",
        0.0,
        0.0,
        100.0,
        "Temperature of the soft-argmax; 0 takes the one calibrated for the weights.",
        "configure",
    ),
    ParameterSpec(
        "zoom",
        "preset",
        "Zoom-in ratios, for example '2 3'; none switches them off.",
        "configure",
        pattern=r"preset|none|[2-8]([ ,]+[2-8]){0,3}",
        pattern_text="preset, none or up to four ratios from 2 to 8 as in '2 3'",
    ),
    choice("reciprocity", SWITCH, "Average both matching directions.", "configure"),
    choice(
        "alignment",
        SWITCH,
        "Where a pair hardly agrees, try one image turned and squeezed: slow on such pairs.",
        "configure",
    ),
    choice("register_fix", SWITCH, "Suppress the top-left register token.", "configure"),
    ParameterSpec(
        "head",
        "preset",
        "Learned head that makes the coarse flow dense: a name of shipped weights or a file of "
        "`zeroco train flow`; none switches it off.",
        "configure",
        pattern=r"\S(.*\S)?",
        pattern_text="preset, none, a name of shipped weights or a path",
    ),
    choice(
        "refine",
        ("preset", "dis", "none"),
        "Refinement to full resolution after it.",
        "configure",
    ),
    # --- the input ---
    choice(
        "image_transport",
        ("raw", "compressed"),
        "raw reads <topic>, compressed reads <topic>/compressed.",
        "configure",
    ),
    choice(
        "pairing",
        ("temporal", "synchronized"),
        "temporal pairs frames of `image`; synchronized pairs `left/image` with `right/image`.",
        "configure",
    ),
    number(
        "stride", 1, 1, 100, "temporal: pair each frame with the one this many before.", "live"
    ),
    number(
        "min_dt", 0.0, 0.0, 3600.0, "temporal: frames closer in time (s) are not paired.", "live"
    ),
    number(
        "max_dt", 1.0, 0.0, 3600.0, "temporal: frames further apart (s) are not paired.", "live"
    ),
    number(
        "slop",
        0.01,
        0.0,
        10.0,
        "synchronized: largest stamp difference (s) of a pair; 0 asks for equal stamps.",
        "live",
    ),
    number("sync_queue_size", 10, 1, 1000, "synchronized: images kept waiting per side.", "live"),
    number(
        "max_pixels",
        40_000_000,
        4096,
        1_000_000_000,
        "Images with more pixels are refused; smaller ones are reduced as far as needed.",
        "live",
    ),
    number(
        "significant_bits",
        16,
        8,
        16,
        "Bits that a 16-bit camera fills; the value is shifted down to 8 bits.",
        "live",
    ),
    # --- the output ---
    choice(
        "reference",
        ("auto", *REFERENCES["temporal"], *REFERENCES["synchronized"]),
        "The image whose pixels and header the flow has; auto is current (temporal) or left "
        "(synchronized). The vectors always point from the previous to the current position, "
        "from left to right.",
        "live",
    ),
    number(
        "color_max_magnitude",
        0.0,
        0.0,
        10_000.0,
        "Pixels of motion shown at full saturation on ~/flow_color; 0 follows the scene slowly.",
        "live",
    ),
)

SPECS: Mapping[str, ParameterSpec] = {spec.name: spec for spec in PARAMETERS}


def defaults() -> dict[str, Value]:
    """Name -> default value of every parameter."""
    return {spec.name: spec.default for spec in PARAMETERS}


def refusal(values: Mapping[str, object]) -> str | None:
    """Why this complete set of values is not allowed, or None. Names must be known."""
    for name, value in values.items():
        reason = SPECS[name].refusal(value)
        if reason is not None:
            return reason
    if 0 < int(values["max_side"]) < SMALLEST_SIDE:  # type: ignore[call-overload]
        return (
            f"parameter max_side: {values['max_side']} is out of range; allowed is 0 (the "
            f"preset's) or an integer from {SMALLEST_SIDE} to 4096"
        )
    low, high = values["min_dt"], values["max_dt"]
    if low > high:  # type: ignore[operator]
        return f"parameters min_dt and max_dt: {low} s > {high} s; allowed is min_dt <= max_dt"
    allowed = ("auto", *REFERENCES[str(values["pairing"])])
    if values["reference"] not in allowed:
        return (
            f"parameter reference: '{values['reference']}' does not exist with pairing "
            f"'{values['pairing']}'; allowed is one of {', '.join(allowed)}"
        )
    return None


def reference_of(values: Mapping[str, object]) -> str:
    """The reference image that these values mean: current, previous, left or right."""
    reference = str(values["reference"])
    return REFERENCES[str(values["pairing"])][0] if reference == "auto" else reference


def listing() -> str:
    """The table as text, for a terminal."""
    lines = []
    for spec in PARAMETERS:
        shown = str(spec.default).lower() if isinstance(spec.default, bool) else spec.default
        lines.append(f"{spec.name} ({spec.type_name}, default {shown})")
        lines.append(f"    {spec.description}")
        lines.append(f"    Allowed: {spec.allowed_text}. May change {when_text(spec)}.")
    return "\n".join(lines)


def when_text(spec: ParameterSpec) -> str:
    """When the parameter may change, in words."""
    return CHANGEABLE_TEXT[spec.changeable]
