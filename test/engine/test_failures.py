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

"""What a failing device looks like: told from the words of the libraries, and how much is free."""

from __future__ import annotations

import resource

import cv2
import numpy as np
import pytest
import torch

from zeroco_ros.engine.device import DeviceMemoryError
from zeroco_ros.engine.failures import (
    enough_memory,
    free_bytes,
    is_out_of_memory,
    is_sticky,
    memory_words,
)
from zeroco_ros.errors import BackendError, ConfigError, WeightsError

CPU = "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried"
LOST = "CUDA error: an illegal memory access was encountered"


@pytest.mark.parametrize(
    ("error", "memory", "sticky"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True, False),
        (RuntimeError(CPU), True, False),
        (RuntimeError("CUDA error: out of memory"), True, False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublas"), True, False),
        (MemoryError(), True, False),
        (DeviceMemoryError("a plan", 10, 5), True, False),
        (OSError(12, "Cannot allocate memory"), True, False),
        (WeightsError("weights 'x': cannot be read (Cannot allocate memory)"), True, False),
        (
            torch.AcceleratorError(LOST) if hasattr(torch, "AcceleratorError") else None,
            False,
            True,
        ),
        (RuntimeError(LOST), False, True),
        (RuntimeError("CUDA error: device-side assert triggered"), False, True),
        (BackendError("TensorRT: CUDA error: unspecified launch failure"), False, True),
        (RuntimeError("CUDA error: invalid configuration argument"), False, False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False, False),
        (ValueError("out of memory"), False, False),
        (KeyError("illegal memory access"), False, False),
    ],
)
def test_errors_are_told_apart(error: Exception | None, memory: bool, sticky: bool):
    if error is None:
        pytest.skip("this torch has no AcceleratorError")
    assert (is_out_of_memory(error), is_sticky(error)) == (memory, sticky)


def test_real_errors_of_this_machine_are_known():
    """A petabyte is more than there is."""
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(2**50, dtype=torch.uint8)
    with pytest.raises(MemoryError) as of_numpy:
        np.empty(2**50, dtype=np.uint8)
    with pytest.raises(cv2.error) as of_opencv:
        cv2.resize(np.zeros((2, 2), np.float32), (2**31 - 1, 2**15))
    assert all(is_out_of_memory(e.value) for e in (of_torch, of_numpy, of_opencv))


def test_free_memory_is_known_and_bounded_by_the_process_limit():
    if free_bytes("cpu") is None:
        pytest.skip("this system does not tell")
    assert free_bytes("cpu") > 1 << 20
    assert free_bytes("cuda") is None or torch.cuda.is_available()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 20, before[1]))  # less than is mapped already
    try:
        free = free_bytes("cpu")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert free == 0


def test_the_sentence_has_the_bytes_needed_and_free():
    assert memory_words(2_500_000, "cpu").startswith("at least 2.5 MB are needed, ")
    assert memory_words(None, "cpu").endswith(" on cpu")
    with (
        pytest.raises(BackendError, match=r"not enough memory for it: at least 3.0 MB are needed"),
        enough_memory("it", 3_000_000, "cpu"),
    ):
        raise RuntimeError(CPU)
    for other in (ConfigError("x"), RuntimeError("x"), DeviceMemoryError("a plan", 10, 5)):
        with pytest.raises(type(other)), enough_memory("it", 1, "cpu"):
            raise other
