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
A node that runs, as a real process, with stand-ins for what cannot be provoked here.

A GPU that runs out of memory or is lost, TensorRT, libraries that are missing.

    FAULTY_NODE=flow_node FAULTS=faults.json python3 -m faulty_node --ros-args ...

FAULTS is read again at every configuration and every inference, so a test turns the faults while
the node runs:

    {"network": "memory" | "memory once" | "lost", "blocked": ["onnxruntime"],
     "tensorrt": {...}, "cache": "folder"}

tensorrt: the Faults of test/engine/tensorrt_stand_in.py; without it TensorRT cannot be imported.
"""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
import sys
from typing import Any

FAULTS = Path(os.environ.get("FAULTS", "faults.json"))
MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB. (a stand-in)"
LOST = "CUDA error: an illegal memory access was encountered (a stand-in)"


def told() -> dict[str, Any]:
    """Return what the test wants to go wrong now."""
    found: dict[str, Any] = json.loads(FAULTS.read_text())
    return found


def tell(faults: dict[str, Any]) -> None:
    """Say what goes wrong from now on; never half-written for the reader."""
    draft = FAULTS.with_suffix(".draft")
    draft.write_text(json.dumps(faults))
    draft.replace(FAULTS)


def main() -> int:
    """Run the node with the stand-ins installed."""
    import torch

    from zeroco_ros.engine.torch_backend import TorchBackend
    from zeroco_ros.estimate import network

    encode, open_flow = TorchBackend.encode, network.open_flow

    def failing_encode(backend: Any, images: Any) -> Any:
        now = told()
        fault = now.get("network")
        if fault == "memory once":
            tell({name: value for name, value in now.items() if name != "network"})
        if fault in ("memory", "memory once"):
            raise torch.OutOfMemoryError(MEMORY)
        if fault == "lost":
            raise RuntimeError(LOST)
        return encode(backend, images)

    def prepared_open_flow(*arguments: Any, **more: Any) -> Any:
        prepare(told())
        return open_flow(*arguments, **more)

    TorchBackend.encode = failing_encode  # type: ignore[method-assign]
    network.open_flow = prepared_open_flow
    name = os.environ["FAULTY_NODE"]
    code: int = importlib.import_module(f"zeroco_ros.ros.{name}").main(sys.argv[1:])
    return code


def prepare(faults: dict[str, Any]) -> None:
    """Block modules, install the stand-in for TensorRT, point at the cache."""
    if "onnxruntime" in faults.get("blocked", ()):
        sys.modules["onnxruntime"] = None  # type: ignore[assignment]
    elif sys.modules.get("onnxruntime", 0) is None:
        del sys.modules["onnxruntime"]
    if "cache" in faults:
        os.environ["ZEROCO_CACHE"] = faults["cache"]
    if "tensorrt" in faults:
        sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
        import tensorrt_stand_in as stand_in

        stand_in.install(stand_in._Forever, stand_in.Faults(**faults["tensorrt"]))
    else:
        sys.modules["tensorrt"] = None  # type: ignore[assignment]


if __name__ == "__main__":
    sys.exit(main())
