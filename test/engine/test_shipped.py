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

"""ONNX Runtime equals PyTorch for every shipped weight file and for CroCo's official sizes."""

from __future__ import annotations

import os
from pathlib import Path
import re

import pytest
import torch

from zeroco_ros.cli import main
from zeroco_ros.croco.config import CrocoConfig
from zeroco_ros.croco.model import CroCo
from zeroco_ros.engine.bundle import read_manifest, Readout
from zeroco_ros.engine.export import export_graph
from zeroco_ros.engine.graphs import backbone_graphs, MatcherOutputs
from zeroco_ros.estimate.parity_verdict import stored_verdicts
from zeroco_ros.weights import shipped

pytest.importorskip("onnxscript", reason="zeroco_ros[onnx] is not installed")

pytestmark = pytest.mark.timeout(
    1500
)  # an export takes a second per graph, on a loaded machine 20

V2 = {"pos_embed": "rope100", "enc_depth": 12, "dec_depth": 12}
OFFICIAL = {
    "croco_v1": {},
    "v2_vitb_small": {**V2, "dec_embed_dim": 512, "dec_depth": 8, "dec_num_heads": 16},
    "v2_vitb_base": {**V2, "dec_embed_dim": 768, "dec_num_heads": 12},
    "v2_vitl_base": {
        **V2,
        "enc_embed_dim": 1024,
        "enc_depth": 24,
        "enc_num_heads": 16,
        "dec_embed_dim": 768,
        "dec_num_heads": 12,
    },
}
WHOLE = bool(os.environ.get("ZEROCO_LARGE"))


def test_every_shipped_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Backbone, flow head and depth head by `zeroco export`, at a size that exports fast."""
    assert set(shipped()) == {"default", "flow_head", "depth_head"}
    folder = tmp_path / "engine"
    assert main(["export", "-o", str(folder), "--image", "96x72", "--depth"]) == 0
    text = capsys.readouterr().out
    assert "network input 96x80" in text and text.endswith("passed\n")
    manifest = read_manifest(folder)
    assert set(manifest.graphs) == {
        "encoder",
        "matcher",
        "head_features",
        "head",
        "depth_head_features",
        "depth_head",
    }
    found = [float(number) for number in re.findall(r"at most (\S+) from PyTorch", text)]
    assert len(found) == 6 and max(found) < 1e-4
    verdict = stored_verdicts(folder)["onnx cpu fp32"]
    assert verdict["passed"] is True
    assert all(pair["depth_p99"] is not None for pair in verdict["pairs"])
    assert max(pair["sure"] for pair in verdict["pairs"]) > 0.2


@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_official_sizes(name: str):
    """
    Random weights, two frames of 32x32 pixels; with ZEROCO_LARGE=1 of every size, whole.

    Without, widths and heads of CroCo v1 (the tiny network of the other tests is a v2), one block
    of each kind: an export takes a second per block.
    """
    shape = dict(OFFICIAL[name])
    if not WHOLE:
        if name != "croco_v1":
            pytest.skip("takes a minute: ZEROCO_LARGE=1 runs it")
        shape |= {"enc_depth": 1, "dec_depth": 1}
    torch.manual_seed(0)
    model = CroCo(CrocoConfig(**shape)).eval()
    outputs = MatcherOutputs(True, Readout("window", 3, None, True), first=True, last=True)
    for part, graph in backbone_graphs(model, (32, 32), outputs).items():
        exported = export_graph(part, graph)
        assert exported.difference < 1e-4, part
        assert [file.removesuffix(".onnx") for file in exported.files] == [part]
