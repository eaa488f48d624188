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
Official model files: CroCo v1 and v2 in their three layouts, DUSt3R, MASt3R.

They are pickles: `unpickling` lets in tensors and argparse.Namespace only, and the description of
the model that some carry as text is parsed, never evaluated.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zeroco_ros.croco.config import CrocoConfig
from zeroco_ros.croco.model_string import parse_model_string
from zeroco_ros.croco.positions import cosine_table
from zeroco_ros.croco.unpickling import unpickle
from zeroco_ros.errors import ConfigError, WeightsError

LICENSE_NOTE = (
    "official CroCo, DUSt3R and MASt3R weights are licensed CC BY-NC-SA 4.0, "
    "for non-commercial use only"
)

_TWO_DECODERS = ("AsymmetricCroCo3DStereo", "AsymmetricMASt3R")
_ARCHITECTURES = ("CroCoNet", *_TWO_DECODERS)
_POS_EMBED = {"cosine": "cosine", "RoPE100": "rope100"}
# What belongs to the backbone; what is said about heads, losses and image loading is ignored.
_USED = (
    "enc_embed_dim",
    "enc_depth",
    "enc_num_heads",
    "dec_embed_dim",
    "dec_depth",
    "dec_num_heads",
    "mlp_ratio",
    "patch_size",
    "norm_im2_in_dec",
)
_PRETRAINING = ("mask_token", "prediction_head.weight", "prediction_head.bias")
# Without any of these it is some other network, and a list of missing names says nothing.
_MARKS = ("patch_embed.proj.weight", "enc_blocks.0.attn.qkv.weight", "decoder_embed.weight")
_TABLES = {"enc_pos_embed": "enc_embed_dim", "dec_pos_embed": "dec_embed_dim"}


def read_official(path: Path) -> tuple[CrocoConfig, dict[str, Tensor]]:
    """
    Return the architecture and the backbone's tensors of an official file.

    Raises WeightsError for files that are damaged, unsafe, or of another architecture.
    """
    content = unpickle(path)
    if not isinstance(content, Mapping):
        raise WeightsError(f"holds a {type(content).__name__}; a dictionary of tensors is needed")
    state = _state_of(content)
    name, arguments = _description(content, state)
    if name not in _ARCHITECTURES:
        raise WeightsError(f"holds a network '{name}'; readable are {', '.join(_ARCHITECTURES)}")
    config = _configure(name, arguments, state)
    _check_tables(config, state)
    return config, {key: value for key, value in state.items() if not _ignored(key, config)}


def _state_of(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Return the named tensors under "model"."""
    state = content.get("model")
    if not isinstance(state, Mapping):
        found = ", ".join(repr(str(key)) for key in list(content)[:5]) or "nothing"
        raise WeightsError(f"not a CroCo file: found {found}; expected 'model' with its tensors")
    if not any(key in state for key in _MARKS):
        found = ", ".join(repr(str(key)) for key in list(state)[:3]) or "nothing"
        raise WeightsError(
            f"not a CroCo network: found {found} ({len(state)} entries); expected {_MARKS[0]}, "
            f"{_MARKS[1]} and so on"
        )
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise WeightsError(
                f"not a CroCo file: 'model' holds {key!r} of type {type(value).__name__}; "
                "named tensors are needed"
            )
    return dict(state)


def _description(content: Mapping[Any, Any], state: Mapping[str, Tensor]) -> tuple[str, Any]:
    """Class name and arguments, from the first of the three layouts that the file follows."""
    if "croco_kwargs" in content:
        arguments = content["croco_kwargs"]
        if not isinstance(arguments, Mapping):
            raise WeightsError(f"croco_kwargs={arguments!r}: a dictionary is needed")
        return "CroCoNet", arguments
    args = content.get("args")
    text = getattr(args, "model", None) if isinstance(args, argparse.Namespace) else None
    if isinstance(text, str):
        return parse_model_string(text)
    if args is not None:
        raise WeightsError("'args' does not describe the model, as CroCoNet(...) would")
    if state and "patch_embed.proj.weight" in state and "enc_pos_embed" not in state:
        raise WeightsError(
            "neither says what network it holds (croco_kwargs or args) nor is it CroCo v1's"
        )
    return "CroCoNet", {}


def _configure(
    name: str, arguments: Mapping[str, Any], state: Mapping[str, Tensor]
) -> CrocoConfig:
    """Give configuration that the description amounts to; CroCo v1's values where it is silent."""
    pos_embed = arguments.get("pos_embed", "cosine")
    if not isinstance(pos_embed, str) or pos_embed not in _POS_EMBED:
        raise WeightsError(f"pos_embed={pos_embed!r}; readable are {', '.join(_POS_EMBED)}")
    size = arguments.get("img_size", 224)
    values = {key: arguments[key] for key in _USED if key in arguments}
    two_decoders = name in _TWO_DECODERS
    try:
        return CrocoConfig.from_dict(
            {
                **values,
                "pos_embed": _POS_EMBED[pos_embed],
                "img_size": (size, size) if isinstance(size, int) else size,
                "two_decoders": two_decoders,
                "prediction_head": not two_decoders and all(key in state for key in _PRETRAINING),
            }
        )
    except ConfigError as error:
        raise WeightsError(f"describes an impossible network: {error}") from None


def _check_tables(config: CrocoConfig, state: Mapping[str, Tensor]) -> None:
    """Check that a stored v1 position table is the one that is recomputed for every grid."""
    for key, width in _TABLES.items():
        if config.pos_embed != "cosine" or key not in state:
            continue
        grid = (config.img_size[0] // config.patch_size, config.img_size[1] // config.patch_size)
        stored, shape = state[key].float(), (grid[0] * grid[1], getattr(config, width))
        if stored.shape != shape or not torch.allclose(
            stored, cosine_table(grid, shape[1], stored), atol=1e-3
        ):
            raise WeightsError(
                f"{key} of shape {tuple(stored.shape)} is not the sine-cosine table of "
                f"{grid[0]}x{grid[1]} tokens, {shape[1]} wide"
            )


def _ignored(key: str, config: CrocoConfig) -> bool:
    """Heads, position tables and whatever pre-training left behind."""
    if key in _TABLES or key.startswith(("downstream_head", "rope.")):
        return True
    return not config.prediction_head and (
        key == "mask_token" or key.startswith("prediction_head.")
    )
