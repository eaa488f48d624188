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

"""Open a pickled model file without giving it a chance to run anything."""

from __future__ import annotations

import argparse
from pathlib import Path
import pickle
import re
from typing import Any
import warnings

import torch
from torch.torch_version import TorchVersion

from zeroco_ros.errors import WeightsError

# What torch says of a global that weights_only does not let in, allowed by nobody or blocked.
_REFUSED = re.compile(r"GLOBAL (\S+)")


def unpickle(path: Path) -> Any:
    """
    torch.load that can make nothing but tensors, plain containers and argparse.Namespace.

    Raises WeightsError when the file is damaged or asks for anything else.
    """
    if TorchVersion(torch.__version__) < "2.6":
        raise WeightsError(
            f"torch {torch.__version__} cannot read pickled weights safely (CVE-2025-32434); "
            "install torch 2.6 or newer, or use .safetensors weights"
        )
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
            warnings.simplefilter("ignore")  # torch's advice to developers about pickle protocols
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = _REFUSED.search(str(error))
        if refused:
            raise WeightsError(
                f"refused, because it would create or call {refused[1]}, which weights do not "
                "need; get the official file, or use .safetensors weights"
            ) from None
        raise WeightsError("damaged or not a model file; get the file again") from None
    except (RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError) as error:
        reason = str(error).partition(". ")[0].partition("\n")[0] or type(error).__name__
        raise WeightsError(f"damaged or truncated ({reason}); get the file again") from None
