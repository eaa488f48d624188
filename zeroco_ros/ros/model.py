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

"""From parameters to a running network. torch is imported here, when a node configures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
import gc
import logging
from pathlib import Path
import sys
from typing import Any, Generic, TYPE_CHECKING, TypeVar

from zeroco_ros.errors import BackendError
from zeroco_ros.weights import resolve

if TYPE_CHECKING:
    from zeroco_ros.estimate.config import FlowConfig
    from zeroco_ros.estimate.network import NetworkOptions, RunningFlow

Estimator = TypeVar("Estimator")
Progress = Callable[[str], None]

MISSING_TORCH = (
    "PyTorch cannot be imported ({error}): it runs the network; install it with "
    "'python3 -m pip install torch' into the Python that runs this node, then configure again"
)


def _quiet(line: str) -> None:
    """Progress that nobody follows."""


class RunningModel(Generic[Estimator]):
    """
    An estimator, and what diagnostics say about the network in it.

    config, options: of the network; build: makes the estimator of a flow estimator.
    estimator: what serves now; `fall_back` exchanges it, on the worker's thread. trouble: why what
    was asked for does not serve, "" where it does.
    Raises WeightsError, ConfigError or BackendError.
    """

    def __init__(
        self,
        config: FlowConfig,
        options: NetworkOptions,
        build: Callable[[RunningFlow], Estimator],
        progress: Progress,
    ) -> None:
        from zeroco_ros.estimate.network import open_with

        self._config, self._options, self._build = config, options, build
        self.estimator, flow = open_with(build, config, options, progress=progress)
        self._flow = flow
        self.trouble = f"engine refused, torch serves: {flow.refused}" if flow.refused else ""

    def fall_back(self, reason: str) -> bool:
        """
        Let PyTorch in float32 serve from now on; False where it does already.

        reason: what is wrong with what served so far. Raises as the constructor does.
        """
        from zeroco_ros.estimate.network import open_flow

        former = self._flow
        if (former.backend, former.precision) == ("torch", "fp32"):
            return False
        options = replace(self._options, backend="torch", precision="fp32", acceleration="none")
        flow = replace(open_flow(self._config, options), reason=f"torch: {reason}")
        if former.engine:
            flow = replace(flow, refused=reason)
        self.estimator = self._build(flow)
        self._flow, self.trouble = flow, f"torch in fp32 serves: {reason}"
        return True

    @property
    def backend(self) -> str:
        """Return what runs it, in words: 'onnx in fp32'."""
        return f"{self._flow.backend} in {self._flow.precision}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what the log should say beside the summary, such as a license."""
        note = self._flow.license_note
        return (*self._flow.warnings, *([note] if note else []))

    @property
    def facts(self) -> dict[str, str]:
        """Return what diagnostics show of it: diagnostics_table.MODEL."""
        return self._flow.facts

    @property
    def summary(self) -> str:
        """One phrase for the log."""
        flow = self._flow
        where = f"{flow.device}, {flow.precision}, {flow.reason}"
        return f"{flow.model} ({flow.sha256[:12]}) on {where}"


def open_model(
    values: Mapping[str, Any],
    config: FlowConfig,
    build: Callable[[RunningFlow], Estimator],
    progress: Progress,
) -> RunningModel[Estimator]:
    """
    Open the network that the parameters in shared_parameters.NETWORK describe.

    build: makes the estimator of the flow; progress: called with a line per step that takes long.
    Raises WeightsError, ConfigError or BackendError (also when torch is missing), whose text
    names what was given, what is allowed and what to do.
    """
    # The node tells the license note in its own log; Python's would print it a second time.
    logging.getLogger("zeroco_ros").addHandler(logging.NullHandler())
    return RunningModel(config, network_options(values), build, progress)


def network_options(values: Mapping[str, Any]) -> NetworkOptions:
    """Return the options that these parameter values mean."""
    from zeroco_ros.estimate.network import NetworkOptions

    return NetworkOptions(
        backend=values["backend"],
        weights=values["weights"],
        engine=None if values["engine"] == "none" else Path(values["engine"]).expanduser(),
        device=values["device"],
        precision=values["precision"],
        provider=values["provider"],
        threads=int(values["threads"]) or None,
        acceleration=values["acceleration"],
        build=values["build_engine"],
        check=values["check_engine"],
        fallback=values["engine_fallback"],
    )


def require_torch(values: Mapping[str, Any]) -> None:
    """Raise WeightsError without the model file, BackendError where torch cannot be imported."""
    resolve(values["weights"])
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise BackendError(MISSING_TORCH.format(error=error)) from error


def free_memory() -> None:
    """Give memory that a released model held back to the system, the GPU's too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
