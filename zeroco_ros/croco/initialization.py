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

"""Starting values of a network that is trained from nothing."""

from __future__ import annotations

import torch
from torch import nn

from zeroco_ros.croco.layers import CrossAttention, PatchStem

INITIAL_LOG_SCALE = 2.3  # a temperature of 0.1 on head-mean logits


def init_network(model: nn.Module) -> None:
    """Xavier-uniform projections, zero biases, mask token of std 0.02, as ViT and CroCo start."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, PatchStem):
            nn.init.xavier_uniform_(module.proj.weight.view(module.proj.out_channels, -1))
    mask_token = getattr(model, "mask_token", None)
    if mask_token is not None:
        nn.init.normal_(mask_token, std=0.02)


def init_tied_cross_attention(model: nn.Module, gain: float = 1.5) -> None:
    """
    Give each cross-attention's query and key projections one orthogonal matrix times `gain`.

    The cost volume then starts as a self-similarity of the tokens; without it supervised training
    stayed at zero flow. The two weights are equal at the start only, not shared afterwards.
    """
    for module in model.modules():
        if isinstance(module, CrossAttention):
            nn.init.orthogonal_(module.projq.weight, gain=gain)
            with torch.no_grad():
                module.projk.weight.copy_(module.projq.weight)
            nn.init.zeros_(module.projq.bias)
            nn.init.zeros_(module.projk.bias)
