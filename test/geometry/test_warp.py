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

"""Warping by a flow field."""

from __future__ import annotations

import torch

from zeroco_ros.geometry.warp import warp


def test_no_flow_changes_nothing():
    image = torch.rand(2, 3, 9, 13, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(warp(image, torch.zeros(2, 2, 9, 13)), image)


def test_whole_pixels_are_exact_and_outside_is_zero_or_the_border():
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[:, 0] = 1
    moved = warp(image, flow)
    torch.testing.assert_close(moved[..., :3], image[..., 1:])
    assert moved[..., 3].abs().max() == 0
    torch.testing.assert_close(warp(image, flow, padding="border")[..., 3], image[..., 3])


def test_half_a_pixel_is_the_mean():
    image = torch.tensor([[[[0.0, 2.0, 6.0]]]])
    flow = torch.zeros(1, 2, 1, 3)
    flow[:, 0] = 0.5
    torch.testing.assert_close(warp(image, flow)[0, 0, 0, :2], torch.tensor([1.0, 4.0]))


def test_a_source_of_another_size():
    image = torch.arange(40.0).reshape(1, 1, 5, 8)
    flow = torch.zeros(1, 2, 2, 3)
    flow[:, 0], flow[:, 1] = 4, 3
    torch.testing.assert_close(warp(image, flow)[0, 0], image[0, 0, 3:5, 4:7])
