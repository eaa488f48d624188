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
Export CroCo of the official sizes, with random weights.

python3 docs/engine_sizes.py [NAME ...]

Prints, per graph, its size, how far ONNX Runtime is from PyTorch, and how long the export took.
"""

from __future__ import annotations

import sys
import time

import torch

from zeroco_ros.croco.config import CrocoConfig
from zeroco_ros.croco.model import CroCo
from zeroco_ros.engine.bundle import Readout
from zeroco_ros.engine.export import export_graph
from zeroco_ros.engine.graphs import backbone_graphs, MatcherOutputs

V2 = {"pos_embed": "rope100", "norm_im2_in_dec": True}
BASE = {**V2, "dec_embed_dim": 768, "dec_depth": 12, "dec_num_heads": 12}
LARGE = {"enc_embed_dim": 1024, "enc_depth": 24, "enc_num_heads": 16}
SIZES = {
    "croco_v1_vitb": {},
    "croco_v2_vitb_small": V2,
    "croco_v2_vitb_base": BASE,
    "croco_v2_vitl_base": {**BASE, **LARGE},
}
INPUT = (224, 224)


def main(names: list[str]) -> None:
    """Export the named sizes, all of them by default."""
    outputs = MatcherOutputs(register_fix=True, readout=Readout("window", 3, None, True))
    for name in names or SIZES:
        torch.manual_seed(0)
        model = CroCo(CrocoConfig(**SIZES[name])).eval()
        for part, graph in backbone_graphs(model, INPUT, outputs).items():
            start = time.monotonic()
            exported = export_graph(part, graph)
            size = sum(map(len, exported.files.values())) / 1e6
            print(
                f"{name:20s} {part:8s} {size:7.1f} MB in {', '.join(exported.files)}  "
                f"{exported.difference:.1e}  {time.monotonic() - start:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
