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

"""The architecture of a network as data: enough to build it, and saved with its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args, Literal

from zeroco_ros.errors import ConfigError

PosEmbed = Literal["cosine", "rope100"]
Stem = Literal["patch", "conv"]

_FLAGS = ("norm_im2_in_dec", "cross_rope", "two_decoders", "prediction_head")
_SIZES = (
    "enc_embed_dim",
    "enc_depth",
    "enc_num_heads",
    "dec_embed_dim",
    "dec_depth",
    "dec_num_heads",
    "patch_size",
)


@dataclass(frozen=True)
class CrocoConfig:
    """
    Widths, depths and variants of a CroCo network; the defaults are CroCo v1's ViT-B.

    pos_embed: "cosine" is CroCo v1's table added to the tokens, "rope100" CroCo v2's rotation.
    norm_im2_in_dec: the decoder normalizes the source tokens (`norm_y`), as released models do.
    stem: "patch" is the ViT's linear patch embedding, "conv" four strided convolutions; a network
    with the "conv" stem also has the learned scalar `match_log_scale`.
    cross_rope: rotate queries and keys of the cross-attention too (rope100 only).
    two_decoders: DUSt3R's and MASt3R's layout, one decoder per view, updated in lock-step.
    prediction_head: mask token and pixel head, which only pre-training needs.
    img_size: rows and columns in pixels at which the network was trained; information only.
    """

    enc_embed_dim: int = 768
    enc_depth: int = 12
    enc_num_heads: int = 12
    dec_embed_dim: int = 512
    dec_depth: int = 8
    dec_num_heads: int = 16
    mlp_ratio: float = 4.0
    patch_size: int = 16
    pos_embed: PosEmbed = "cosine"
    norm_im2_in_dec: bool = True
    stem: Stem = "patch"
    cross_rope: bool = True
    two_decoders: bool = False
    prediction_head: bool = True
    img_size: tuple[int, int] = (224, 224)

    def __post_init__(self) -> None:
        """Refuse values that no network can have (ConfigError)."""
        self._check_sizes()
        self._check_choices()
        for part in ("enc", "dec"):
            width, heads = getattr(self, f"{part}_embed_dim"), getattr(self, f"{part}_num_heads")
            if width % heads or width % 4:
                raise ConfigError(
                    f"{part}_embed_dim={width} with {part}_num_heads={heads}: the width must be a "
                    "multiple of the number of heads and of 4"
                )
            if self.pos_embed == "rope100" and (width // heads) % 4:
                raise ConfigError(
                    f"{part}_embed_dim={width} with {part}_num_heads={heads}: rope100 needs a "
                    "multiple of 4 channels per head"
                )

    def _check_sizes(self) -> None:
        for name in _SIZES:
            value = getattr(self, name)
            most = 256 if name.endswith("depth") else 65536
            if type(value) is not int or not 1 <= value <= most:
                raise ConfigError(f"{name}={value!r}: a whole number from 1 to {most} is needed")
        if type(self.mlp_ratio) not in (int, float) or not 0 < self.mlp_ratio <= 64:
            raise ConfigError(f"mlp_ratio={self.mlp_ratio!r}: a number above 0, at most 64")
        if self.stem == "conv" and self.patch_size != 16:
            raise ConfigError(f"patch_size={self.patch_size}: the conv stem has stride 16 only")
        size: object = self.img_size  # a file may say anything
        if (
            not isinstance(size, tuple)
            or len(size) != 2
            or any(type(side) is not int or side < 1 for side in size)
        ):
            raise ConfigError(f"img_size={size!r}: two whole numbers of pixels are needed")

    def _check_choices(self) -> None:
        for name, allowed in (("pos_embed", get_args(PosEmbed)), ("stem", get_args(Stem))):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name}={getattr(self, name)!r}: one of {', '.join(allowed)}")
        for name in _FLAGS:
            if type(getattr(self, name)) is not bool:
                raise ConfigError(f"{name}={getattr(self, name)!r}: true or false is needed")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {**asdict(self), "img_size": list(self.img_size)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CrocoConfig:
        """Return inverse of `to_dict`; raises ConfigError for unknown names and wrong values."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(
                f"unknown architecture field {', '.join(unknown)}; "
                f"known: {', '.join(sorted(known))}"
            )
        values = dict(values)
        if isinstance(values.get("img_size"), list):
            values["img_size"] = tuple(values["img_size"])
        return cls(**values)
