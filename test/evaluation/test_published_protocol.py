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

"""The released evaluation's own numbers (AEPE, PCK) from its tiny networks, protocol to metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from zeroco_ros.croco.checkpoint import load_croco, LoadedCroco
from zeroco_ros.estimate.config import FlowConfig, preset
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.evaluation.metrics import score_pair, score_set, SetScore
from zeroco_ros.evaluation.protocols import FlowPair, hpatches_pair, sparse_flow

Golden = Callable[[str], dict[str, np.ndarray]]
CORRELATION = {"ca_map": "cross_attention", "enc_feat": "encoder", "dec_feat": "decoder"}
CROCO = [
    f"{data}_{version}_{mode}_beta{beta}"
    for data in ("hporig", "hp240", "eth3d")
    for version in ("v1", "v2")
    for mode in (*CORRELATION, "zoom23")
    for beta in ("0.0001", "0.02")
    if data != "eth3d" or mode in ("ca_map", "zoom23")
]
# The zoom-in takes seconds a pair: the smallest set stands for the others, which agree as well.
RUN = [key for key in CROCO if "zoom" not in key or key.startswith("eth3d")]
DUST3R = [f"dust3r_tiny_{size}_{mode}" for size in (160, 224) for mode in CORRELATION]
MAST3R = [f"mast3r_tiny_nohead_160_{mode}" for mode in CORRELATION]


@pytest.fixture(scope="module")
def pairs(golden: Golden) -> dict[str, list[FlowPair]]:
    """Return the pairs of each protocol; ETH3D's are images 2 and 1 with points."""
    images, protocol = golden("images"), golden("eval_protocol")
    first, second, third = images["img1_u8"], images["img2_u8"], protocol["img3_u8"]
    made = {
        name: [
            hpatches_pair("1-2", first, second, images["H_1to2"], side),
            hpatches_pair("1-3", first, third, protocol["H_1to3"], side),
        ]
        for name, side in (("hporig", None), ("hp240", 240))
    }
    points = [np.stack([protocol[f"eth_X{s}"], protocol[f"eth_Y{s}"]], axis=1) for s in "ts"]
    flow, valid = sparse_flow(*points, *second.shape[:2])
    made["eth3d"] = [FlowPair("eth3d", second, first, flow, valid)]
    return made


@pytest.fixture(scope="module")
def load(reference: Path) -> Callable[[str], LoadedCroco]:
    torch.set_num_threads(1)
    return lru_cache(lambda stem: load_croco(reference / f"{stem}.pth"))


def _expected(reference: Path, group: str) -> dict[str, dict[str, float]]:
    return json.loads((reference / f"eval_metrics_{group}.json").read_text())


def _score(loaded: LoadedCroco, config: FlowConfig, pairs: list[FlowPair]) -> SetScore:
    estimator = FlowEstimator.from_model(
        loaded.model, config, metadata=loaded.metadata, device="cpu"
    )
    return score_set(
        [
            score_pair(estimator.estimate(pair.target, pair.source).flow, pair.flow, pair.valid)
            for pair in pairs
        ]
    )


def _compare(score: SetScore, expected: dict[str, float], pixels: float, count: int) -> None:
    """AEPE within `pixels`; the share within 1, 3 and 5 px within `count` scored pixels."""
    assert score.valid == expected["num_valid_corr"]
    assert score.aepe == pytest.approx(expected["AEPE"], abs=pixels)
    for limit, share, pooled in zip((1, 3, 5), score.pck, score.pck_pooled, strict=True):
        found = round(pooled * score.valid)
        assert abs(found - expected[f"num_pixels_pck_{limit}"]) <= count
        assert pooled == pytest.approx(
            expected[f"PCK_{limit}_per_dataset"], abs=(count + 0.5) / score.valid
        )
        assert share == pytest.approx(
            expected[f"PCK_{limit}_per_image"], abs=2 * (count + 0.5) / score.valid
        )


def test_every_published_entry_is_known(reference: Path) -> None:
    for group, keys in (("croco", CROCO), ("dust3r", DUST3R), ("mast3r", MAST3R)):
        assert set(_expected(reference, group)) == set(keys)


@pytest.mark.parametrize("key", RUN)
def test_croco(key: str, reference: Path, pairs: dict, load: Callable) -> None:
    data, version, *words, beta = key.split("_")
    config = replace(preset("paper"), beta=float(beta.removeprefix("beta")))
    mode = "_".join(words)
    zoomed = mode == "zoom23"
    config = replace(config, correlation=CORRELATION.get(mode, "cross_attention"))
    config = replace(config, zoom=(2, 3) if zoomed else ())
    score = _score(load(f"croco_{version}_tiny"), config, pairs[data])
    # the choice among zoom ratios is discontinuous, so single pixels may differ
    expected = _expected(reference, "croco")[key]
    _compare(score, expected, pixels=0.1 if zoomed else 1e-3, count=3 if zoomed else 1)


@pytest.mark.parametrize("key", DUST3R + MAST3R)
def test_dust3r_and_mast3r(key: str, reference: Path, pairs: dict, load: Callable) -> None:
    model, mode = key.rsplit("_", 2)[0], "_".join(key.rsplit("_", 2)[1:])
    stem, side = model.rsplit("_", 1)
    config = replace(
        preset("paper"),
        size=(int(side), int(side)),
        correlation=CORRELATION[mode],
        feature_norm="tokens",  # two slips of the released code on this path
        upsampling="corners",
    )
    score = _score(load(stem), config, pairs["hporig"][:1])
    _compare(score, _expected(reference, stem.split("_")[0])[key], pixels=1e-3, count=1)
