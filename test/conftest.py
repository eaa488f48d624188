"""Fixtures for every room: where the shared reference numbers and real images are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("ZEROCO_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with golden/ and data/; a user's clone does not have it."""
    if not SHARED.is_dir():
        pytest.skip(f"reference data is not beside this checkout ({SHARED})")
    return SHARED


@pytest.fixture(scope="session")
def shared_data(shared: Path) -> Path:
    """Real images with ground truth (shared/data)."""
    return shared / "data"


@pytest.fixture(scope="session")
def reference(shared: Path) -> Path:
    """Folder of reference arrays and tiny checkpoints (shared/golden/reference)."""
    return shared / "golden" / "reference"


class ReferenceArrays(dict[str, np.ndarray]):
    """The arrays of one reference file; notes which of them a test has looked at."""

    used: ClassVar[set[tuple[str, str]]] = set()

    def __init__(self, stem: str, path: Path) -> None:
        self.stem = stem
        with np.load(path) as arrays:
            super().__init__({key: arrays[key] for key in arrays.files})

    def __getitem__(self, key: str) -> np.ndarray:
        self.used.add((self.stem, key))
        return super().__getitem__(key)


@pytest.fixture(scope="session")
def golden(reference: Path) -> Callable[[str], ReferenceArrays]:
    """Load one reference file by stem: golden("zeroco_v2_224")["enc_target"]."""
    return lambda stem: ReferenceArrays(stem, reference / f"{stem}.npz")


@pytest.fixture(scope="session")
def used_reference_arrays() -> set[tuple[str, str]]:
    """(stem, key) of every reference array that a test of this run has looked at so far."""
    return ReferenceArrays.used


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the coverage check of the reference arrays after everything that uses them."""
    items.sort(key=lambda item: "test_reference_coverage" in item.nodeid)
