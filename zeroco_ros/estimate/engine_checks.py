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

"""Whether an engine may be trusted: it is of the model that is meant, and it computes the same."""

from __future__ import annotations

from pathlib import Path

from zeroco_ros.engine.bundle import Origin, read_manifest, sha256
from zeroco_ros.engine.graph_backend import GraphBackend
from zeroco_ros.engine.tensorrt_backend import TensorRTBackend
from zeroco_ros.errors import BackendError, ConfigError
from zeroco_ros.estimate.config import FlowConfig
from zeroco_ros.estimate.parity import check_backend, Parity
from zeroco_ros.weights import resolve


class EngineRefusedError(BackendError):
    """An engine that is damaged, made from another model, or wrong: it must not be run."""


def check_origin(
    folder: Path, config: FlowConfig, weights: str | Path | None, precision: str
) -> int:
    """
    Compare what an engine says of itself with what is wanted; the bytes of its graphs.

    weights: None for the engine's own; precision: "auto" for its own. Raises EngineRefusedError
    for an engine without a readable manifest or of another model, ConfigError for one of another
    precision, WeightsError where there is no such model file.
    """
    try:
        manifest = read_manifest(folder)
    except BackendError as error:
        raise EngineRefusedError(str(error)) from error
    if precision not in ("auto", manifest.precision):
        raise ConfigError(
            f"precision '{precision}' with engine '{folder}' of {manifest.precision}: use "
            f"precision 'auto' or export it with --precision {precision}"
        )
    if weights is not None:
        _same_file(folder, "weights", manifest.weights, weights)
    if config.head != "none" and manifest.head is not None:
        _same_file(folder, "head", manifest.head, config.head)
    graphs = [folder / name for name in manifest.files]  # a missing one is told when it is read
    return sum(path.stat().st_size for path in graphs if path.is_file())


def _same_file(folder: Path, what: str, origin: Origin, wanted: str | Path) -> None:
    path = resolve(wanted)
    found = sha256(path.read_bytes())
    if found != origin.sha256:
        raise EngineRefusedError(
            f"engine '{folder}' is of another model: it was exported from {what} '{origin.name}' "
            f"(sha256 {origin.sha256[:12]}), wanted is '{wanted}' (sha256 {found[:12]}); give "
            f"that one, or run 'zeroco export -o {folder} --{what} {wanted}'"
        )


def check_parity(
    folder: Path, backend: GraphBackend, config: FlowConfig, weights: str | Path | None
) -> Parity:
    """
    Pass a running engine through the parity gate.

    Raises EngineRefusedError for an engine that is wrong or cannot be judged, WeightsError where
    the model files that it was exported from are not there.
    """
    has_head = backend.manifest.head is not None
    head = config.head if has_head and config.head != "none" else None
    try:
        parity = check_backend(backend, weights=weights, head=head)
    except BackendError as error:
        raise EngineRefusedError(f"engine '{folder}' cannot be checked: {error}") from error
    if isinstance(backend, TensorRTBackend):
        backend.record_verdict(parity.passed, parity.faults)
    if not parity.passed:
        more = f" and {len(parity.faults) - 1} more" if len(parity.faults) > 1 else ""
        raise EngineRefusedError(
            f"engine '{folder}' is wrong in {backend.name} on {backend.device}: "
            f"{parity.faults[0]}{more} ('zeroco check {folder}' shows all); export it again"
        )
    return parity
