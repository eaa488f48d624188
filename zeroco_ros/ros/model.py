"""From parameters to a running estimator. torch is imported here, when a node configures."""

from __future__ import annotations

import dataclasses
import gc
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroco_ros.errors import BackendError
from zeroco_ros.weights import resolve

if TYPE_CHECKING:
    from zeroco_ros.estimate.config import FlowConfig
    from zeroco_ros.estimate.flow import FlowEstimator

MISSING_TORCH = (
    "PyTorch cannot be imported ({error}): it runs the network; install it with "
    "'python3 -m pip install torch' into the Python that runs this node, then configure again"
)


@dataclass(frozen=True)
class RunningModel:
    """An estimator and what diagnostics say about it; sha256 of the file, in hex."""

    estimator: FlowEstimator
    name: str
    sha256: str
    device: str
    precision: str
    license_note: str | None

    @property
    def facts(self) -> dict[str, str]:
        """What diagnostics show of it."""
        return {
            "device": self.device,
            "precision": self.precision,
            "name": self.name,
            "sha256": self.sha256,
        }

    @property
    def summary(self) -> str:
        """One phrase for the log."""
        return f"{self.name} ({self.sha256[:12]}) on {self.device}, {self.precision}"


def load_model(values: Mapping[str, Any]) -> RunningModel:
    """Load the network and set up the estimator that these parameter values describe.

    Raises WeightsError, ConfigError or BackendError (also when torch is missing), whose text
    names what was given, what is allowed and what to do.
    """
    path = Path(resolve(values["weights"]))
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise BackendError(MISSING_TORCH.format(error=error)) from error
    from zeroco_ros.croco.checkpoint import load_croco
    from zeroco_ros.engine.torch_backend import TorchBackend
    from zeroco_ros.estimate.flow import FlowEstimator

    # The node tells the license note in its own log; Python's would print it a second time.
    logging.getLogger("zeroco_ros").addHandler(logging.NullHandler())
    config = flow_config(values)
    loaded = load_croco(path)
    threads = int(values["threads"]) or None
    backend = TorchBackend(loaded.model, values["device"], values["precision"], threads)
    return RunningModel(
        estimator=FlowEstimator.from_backend(backend, config, metadata=loaded.metadata),
        name=path.name,
        sha256=loaded.sha256,
        device=backend.device,
        precision=backend.precision,
        license_note=loaded.license_note,
    )


def free_memory() -> None:
    """Give memory that a released model held back to the system, the GPU's too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def flow_config(values: Mapping[str, Any]) -> FlowConfig:
    """The preset with what the parameters change of it. Raises ConfigError."""
    from zeroco_ros.estimate.config import preset

    # The node itself refuses images above its parameter max_pixels, which may change at any time.
    changes: dict[str, Any] = {"max_pixels": 1_000_000_000}
    if values["max_side"]:
        changes.update(size=None, max_side=values["max_side"])
    if values["beta"]:
        changes["beta"] = values["beta"]
    for name in ("correlation", "head", "refine"):
        if values[name] != "preset":
            changes[name] = values[name]
    for name in ("reciprocity", "alignment", "register_fix"):
        if values[name] != "preset":
            changes[name] = values[name] == "enabled"
    if values["zoom"] != "preset":
        changes["zoom"] = zoom_ratios(values["zoom"])
    return dataclasses.replace(preset(values["preset"]), **changes)


def zoom_ratios(text: str) -> tuple[int, ...]:
    """'none' -> (), '2 3' or '2, 3' -> (2, 3)."""
    return () if text == "none" else tuple(int(part) for part in text.replace(",", " ").split())
