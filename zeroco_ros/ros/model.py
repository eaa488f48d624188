"""From parameters to a running network. torch is imported here, when a node configures."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from zeroco_ros.errors import BackendError
from zeroco_ros.weights import resolve

if TYPE_CHECKING:
    from zeroco_ros.croco.checkpoint import LoadedCroco
    from zeroco_ros.engine.torch_backend import TorchBackend

Estimator = TypeVar("Estimator")

MISSING_TORCH = (
    "PyTorch cannot be imported ({error}): it runs the network; install it with "
    "'python3 -m pip install torch' into the Python that runs this node, then configure again"
)


@dataclass(frozen=True)
class RunningModel(Generic[Estimator]):
    """An estimator and what diagnostics say about it; sha256 of the file, in hex."""

    estimator: Estimator
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
            "model": self.name,
            "model sha256": self.sha256,
        }

    @property
    def summary(self) -> str:
        """One phrase for the log."""
        return f"{self.name} ({self.sha256[:12]}) on {self.device}, {self.precision}"


@dataclass(frozen=True)
class Network:
    """A network on its device, and the file it came from."""

    backend: TorchBackend
    file: LoadedCroco
    name: str

    def running(self, estimator: Estimator) -> RunningModel[Estimator]:
        """What diagnostics say about an estimator that runs this network."""
        return RunningModel(
            estimator=estimator,
            name=self.name,
            sha256=self.file.sha256,
            device=self.backend.device,
            precision=self.backend.precision,
            license_note=self.file.license_note,
        )


def load_network(values: Mapping[str, Any]) -> Network:
    """Load the network that the parameters weights, device, precision and threads describe.

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

    # The node tells the license note in its own log; Python's would print it a second time.
    logging.getLogger("zeroco_ros").addHandler(logging.NullHandler())
    loaded = load_croco(path)
    threads = int(values["threads"]) or None
    backend = TorchBackend(loaded.model, values["device"], values["precision"], threads)
    return Network(backend, loaded, path.name)


def free_memory() -> None:
    """Give memory that a released model held back to the system, the GPU's too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
