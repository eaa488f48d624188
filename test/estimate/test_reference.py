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
The paper's numbers: what the authors' released code computes, array by array.

`img2` is the target and `img1` the source. Flow holds to 0.1 px everywhere, the zoom-in, whose
choice per pixel is discontinuous, on 97 % of the pixels.
"""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from zeroco_ros.croco.model import CroCo, Encoding
from zeroco_ros.engine.torch_backend import TorchBackend
from zeroco_ros.estimate.coarse import Matcher
from zeroco_ros.estimate.config import FlowConfig, preset
from zeroco_ros.estimate.flow import FlowEstimator
from zeroco_ros.estimate.frames import letterbox_of, network_input
from zeroco_ros.estimate.results import FlowResult
from zeroco_ros.matching.argmax import soft_argmax
from zeroco_ros.matching.cost_volume import reciprocal_volume
from zeroco_ros.matching.flow import Letterbox, token_flow, upsample_flow

Arrays = dict[str, np.ndarray]
CORRELATIONS = {"ca_map": "cross_attention", "enc_feat": "encoder", "dec_feat": "decoder"}
BETAS = ("0.0001", "0.02", "1")
VERSIONS = ("v1", "v2")
Pair = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def pair(golden: Callable[[str], Arrays]) -> Pair:
    """(target, source)."""
    images = golden("images")
    assert np.linalg.det(images["H_1to2"]) > 0
    return images["img2_u8"], images["img1_u8"]


def paper(**changes: Any) -> FlowConfig:
    return dataclasses.replace(preset("paper"), **changes)


def run(model: CroCo, pair: Pair, **changes: Any) -> FlowResult:
    return FlowEstimator.from_model(model, paper(**changes), device="cpu").estimate(*pair)


def channels_first(flow: np.ndarray) -> np.ndarray:
    return flow.transpose(2, 0, 1)[None]


def flow224(result: FlowResult) -> np.ndarray:
    box = Letterbox((224, 224), (224, 224), (224, 224))
    return channels_first(upsample_flow(result.coarse, box, box))


def assert_tokens(ours: np.ndarray, theirs: np.ndarray, beta: str = "1") -> None:
    """
    0.1 px of the network's input: 0.1 / 16 tokens.

    At beta 1e-4 a token whose two best logits tie to 1e-4 may differ by 1 px: the softmax turns
    their last digits, which depend on the processor, into 1 % of the distance between them.
    """
    error = np.abs(ours - theirs)
    if beta == "0.0001":
        assert (error <= 0.1 / 16).mean() >= 0.99
        assert error.max() <= 1 / 16
    else:
        assert error.max() <= 0.1 / 16


@pytest.mark.parametrize("version", VERSIONS)
def test_network_input(golden, pair: Pair, version: str):
    arrays = golden(f"zeroco_{version}_224")
    for image, name in zip(pair, ("target", "source"), strict=True):
        pixels = network_input(image, letterbox_of(image, paper()), "bilinear").numpy()
        np.testing.assert_allclose(pixels[..., ::9, ::9], arrays[f"{name}_norm224_s9"], atol=1e-4)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CORRELATIONS)
@pytest.mark.parametrize("beta", BETAS)
def test_coarse_flow(golden, network, pair: Pair, version: str, name: str, beta: str):
    arrays = golden(f"zeroco_{version}_224")
    result = run(
        network(f"croco_{version}_tiny"), pair, correlation=CORRELATIONS[name], beta=float(beta)
    )
    assert_tokens(channels_first(result.coarse), arrays[f"coarse_{name}_beta{beta}"], beta)
    theirs = arrays[f"flow224_{name}_beta{beta}_s9"]
    np.testing.assert_allclose(flow224(result)[..., ::9, ::9], theirs, atol=0.1)


@pytest.mark.parametrize("version", VERSIONS)
def test_flow_at_full_resolution(golden, network, pair: Pair, version: str):
    arrays = golden(f"zeroco_{version}_224")
    result = run(network(f"croco_{version}_tiny"), pair)
    np.testing.assert_allclose(flow224(result)[..., ::4, ::4], arrays["flow224_s4"], atol=0.1)
    ours = channels_first(result.flow)[..., ::9, ::9]
    np.testing.assert_allclose(ours, arrays["flow_orig_s9"], atol=0.1)


@pytest.mark.parametrize("version", VERSIONS)
def test_swapped_images_and_register_fix(golden, network, pair: Pair, version: str):
    arrays, model = golden(f"zeroco_{version}_224"), network(f"croco_{version}_tiny")
    swapped = run(model, pair[::-1])
    assert_tokens(channels_first(swapped.coarse), arrays["coarse_swapped_beta0.0001"], "0.0001")
    for beta in ("0.0001", "0.02"):
        free = run(model, pair, register_fix=False, beta=float(beta))
        theirs = arrays[f"coarse_ca_map_noregister_beta{beta}"]
        assert_tokens(channels_first(free.coarse), theirs, beta)


@pytest.mark.parametrize("version", VERSIONS)
def test_batch_mates_do_not_matter(golden, network, pair: Pair, version: str):
    """Second pair of the batch: img1 mirrored as the target, img2 at half contrast as source."""
    arrays = golden(f"zeroco_{version}_224")
    target, source = (
        network_input(image, letterbox_of(image, paper()), "bilinear") for image in pair
    )
    backend = TorchBackend(network(f"croco_{version}_tiny"), "cpu", "fp32")
    first = backend.encode(torch.cat([target, source.flip(-1)]))
    second = backend.encode(torch.cat([source, target * 0.5]))
    matcher = Matcher(backend, paper(), True, 1.0)
    both = matcher.match(first, second, first.grid, second.grid).forward
    both = both.permute(0, 3, 1, 2).numpy()
    # The released code takes the register fix's minimum over the batch, which shifts its batched
    # numbers a little; ours are those of each pair alone.
    assert_tokens(both[1:], arrays["coarse_second_pair_alone_beta1"])
    assert_tokens(both, arrays["coarse_batch2_beta1"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("resample", ["bilinear", "antialias"])
@pytest.mark.parametrize("beta", ["0.0001", "0.02"])
def test_zoom_in(golden, network, pair: Pair, version: str, resample: str, beta: str):
    arrays = golden(f"zeroco_{version}_224")
    result = run(
        network(f"croco_{version}_tiny"), pair, zoom=(2, 3), beta=float(beta), resample=resample
    )
    key = f"beta{beta}_aa{int(resample == 'antialias')}_s"
    (name,) = (name for name in arrays if name.startswith(f"zoom23_flow_{key}"))
    step = int(name.rpartition("_s")[2])
    error = np.abs(channels_first(result.flow)[..., ::step, ::step] - arrays[name]).max(axis=1)
    assert (error <= 0.1).mean() >= 0.97
    theirs = arrays[f"zoom23_unc_{key}{step}"][0, 0]
    difference = np.abs(result.forward_backward_error[::step, ::step] - theirs)
    # These random networks' flow jumps by tens of pixels from one pixel to the next; sampling it
    # amplifies a change of 1e-4 px to 0.1 px on every tenth pixel, whoever computes it.
    assert (difference <= 0.1).mean() >= 0.85
    assert np.median(difference) < 0.01


def test_zoom_in_with_one_ratio(golden, network, pair: Pair):
    result = run(network("croco_v2_tiny"), pair, zoom=(2,))
    ours = channels_first(result.flow)[..., ::9, ::9]
    error = np.abs(ours - golden("zeroco_v2_224")["zoom2_flow_s9"]).max(axis=1)
    assert (error <= 0.1).mean() >= 0.97


def softmax_maps(descriptors: Any, heads: int) -> torch.Tensor:
    """Post-softmax attention (L, heads, Nt, Ns) of one pair: the ablation of the paper."""
    queries, keys = (
        x[:, 0].unflatten(-1, (heads, -1)).transpose(1, 2)
        for x in (descriptors.queries * heads, descriptors.keys)
    )
    return (queries @ keys.mT).softmax(dim=-1)


def encode_pair(
    model: CroCo, pair: Pair, size: tuple[int, int]
) -> tuple[TorchBackend, Encoding, Encoding]:
    config = paper(size=size)
    backend = TorchBackend(model, "cpu", "fp32")
    target, source = (
        backend.encode(network_input(image, letterbox_of(image, config), "bilinear"))
        for image in pair
    )
    return backend, target, source


def postsoftmax_volume(forward: torch.Tensor, backward: torch.Tensor) -> torch.Tensor:
    """(1, Nt, Ns) from the head means (L, Nt, Ns) and (L, Ns, Nt)."""
    for maps in (forward, backward):
        maps[:, :, 0] = maps.amin(dim=(1, 2))[:, None]
    return reciprocal_volume(forward.mean(0, keepdim=True), backward.mean(0, keepdim=True))


@pytest.mark.parametrize("version", VERSIONS)
@torch.inference_mode()
def test_cost_volume_and_the_postsoftmax_ablation(golden, network, pair: Pair, version: str):
    arrays, model = golden(f"zeroco_{version}_224"), network(f"croco_{version}_tiny")
    backend, target, source = encode_pair(model, pair, (224, 224))
    volume, swapped = Matcher(backend, paper(), True, 1e-4).volumes(
        target, source, target.grid, source.grid
    )
    top = volume[0].topk(2, dim=-1).values
    np.testing.assert_allclose(top[:, 0] - top[:, 1], arrays["ca_map_top2_gap"], atol=1e-5)
    if "corr_in_soft_argmax" in arrays:
        theirs = arrays["corr_in_soft_argmax"]
        np.testing.assert_allclose(swapped[0, ::4].numpy(), theirs, rtol=1e-4, atol=1e-5)
    both = backend.match(target, source)
    heads = model.config.dec_num_heads
    forward = softmax_maps(both.forward, heads).mean(dim=1)
    backward = softmax_maps(both.backward, heads).mean(dim=1)
    for maps, name, step in ((forward, "t2s_r3", 3), (backward, "s2t_r6", 6)):
        ours = maps[:, ::step].numpy()
        np.testing.assert_allclose(ours, arrays[f"softmax_mean_{name}"], rtol=1e-4, atol=1e-7)
    position = soft_argmax(postsoftmax_volume(forward, backward), source.grid, 1e-4)
    ours = token_flow(position, target.grid).permute(0, 3, 1, 2).numpy()
    assert_tokens(ours, arrays["coarse_ca_map_postsoftmax_beta1e-4"])


@torch.inference_mode()
def test_small_input(golden, network, pair: Pair):
    """96x96, where the released code's hard-coded 224 makes the flow 2.33 times too long."""
    arrays, model = golden("zeroco_v2_small96"), network("croco_v2_tiny")
    for image, name in zip(pair, ("target", "source"), strict=True):
        box = letterbox_of(image, paper(size=(96, 96)))
        pixels = network_input(image, box, "bilinear").numpy()
        np.testing.assert_allclose(pixels[..., ::4, ::4], arrays[f"{name}_norm96_s4"], atol=1e-4)
    backend, target, source = encode_pair(model, pair, (96, 96))
    _, swapped = Matcher(backend, paper(), True, 1e-4).volumes(
        target, source, target.grid, source.grid
    )
    theirs = arrays["logits_corr_in_soft_argmax"]
    np.testing.assert_allclose(swapped[0].numpy(), theirs, rtol=1e-4, atol=1e-5)
    heads, both = model.config.dec_num_heads, backend.match(target, source)
    forward, backward = softmax_maps(both.forward, heads), softmax_maps(both.backward, heads)
    for maps, name in ((forward, "t2s"), (backward, "s2t")):
        theirs = arrays[f"softmax_{name}"]
        np.testing.assert_allclose(maps.numpy(), theirs, rtol=1e-4, atol=1e-7)
    volume = postsoftmax_volume(forward.mean(dim=1), backward.mean(dim=1))
    np.testing.assert_allclose(
        volume[0].mT.numpy(), arrays["softmax_corr_in_soft_argmax"], rtol=1e-4, atol=1e-7
    )
    for beta in ("0.0001", "0.02"):
        flow = token_flow(soft_argmax(volume, source.grid, float(beta)), target.grid)
        theirs = arrays[f"softmax_coarse_ca_map_beta{beta}"]
        assert_tokens(flow.permute(0, 3, 1, 2).numpy(), theirs)


@pytest.mark.parametrize("name", CORRELATIONS)
@pytest.mark.parametrize("beta", ["0.0001", "0.02"])
def test_small_input_flow(golden, network, pair: Pair, name: str, beta: str):
    arrays = golden("zeroco_v2_small96")
    result = run(
        network("croco_v2_tiny"),
        pair,
        size=(96, 96),
        correlation=CORRELATIONS[name],
        beta=float(beta),
    )
    ours = channels_first(result.coarse)
    assert_tokens(ours, arrays[f"logits_coarse_{name}_beta{beta}"])
    if name != "ca_map":  # features do not go through the attention's softmax
        assert_tokens(ours, arrays[f"softmax_coarse_{name}_beta{beta}"])
    elif beta == "0.0001":
        wrong = torch.nn.functional.interpolate(
            torch.from_numpy(ours), size=(224, 224), mode="bilinear", align_corners=False
        )
        theirs = arrays["flow_official_hardcoded224_s8"]
        np.testing.assert_allclose(wrong[..., ::8, ::8] * 16, theirs, atol=0.1)
        high, wide = result.flow.shape[:2]
        right = channels_first(result.flow)
        assert np.abs(right[:, 0]).max() <= wide and np.abs(right[:, 1]).max() <= high


@pytest.mark.parametrize(
    ("stem", "size"),
    [("dust3r_tiny", 160), ("dust3r_tiny", 224), ("mast3r_tiny_nohead", 160)],
)
@pytest.mark.parametrize("name", CORRELATIONS)
def test_two_decoders(golden, network, pair: Pair, stem: str, size: int, name: str):
    """DUSt3R and MASt3R, with the released code's slips switched on."""
    arrays, model = golden(f"{stem}_{size}"), network(stem)
    result = run(
        model,
        pair,
        size=(size, size),
        correlation=CORRELATIONS[name],
        feature_norm="tokens",
        upsampling="corners",
    )
    assert_tokens(channels_first(result.coarse), arrays[f"{name}_coarse"])
    ours = channels_first(result.flow)[..., ::12, ::12]
    np.testing.assert_allclose(ours, arrays[f"{name}_flow_orig_s12"], atol=0.1)
    if name == "ca_map" and "ca_map_corr_in_r4" in arrays:
        backend, target, source = encode_pair(model, pair, (size, size))
        _, swapped = Matcher(backend, paper(), True, 1e-4).volumes(
            target, source, target.grid, source.grid
        )
        theirs = arrays["ca_map_corr_in_r4"]
        np.testing.assert_allclose(swapped[0, ::4].numpy(), theirs, rtol=1e-4, atol=1e-5)
