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

"""What every worker's job is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zeroco_ros.ros.journal import Journal
from zeroco_ros.ros.metrics import Metrics
from zeroco_ros.ros.model import RunningModel
from zeroco_ros.ros.outputs import Outputs
from zeroco_ros.ros.recovery import Keeper, Recovery


class Job:
    """
    One item in, wanted topics out; called on the worker's thread. Made when torch is there.

    values: returns the parameters of now; keeper: the node. Exceptions that concern one image or
    one result are counted and logged by the job; others leave, for the worker to report.
    A subclass makes its step in `_renew`, and runs it through `_recovery`.
    """

    def __init__(
        self,
        model: RunningModel[Any],
        outputs: Outputs,
        journal: Journal,
        metrics: Metrics,
        values: Callable[[], Mapping[str, Any]],
        keeper: Keeper,
    ) -> None:
        self._model = model
        self._outputs = outputs
        self._journal = journal
        self._metrics = metrics
        self._values = values
        self._recovery = Recovery(model, journal, metrics, values, keeper, self._renew)
        self._renew()

    def _renew(self) -> None:
        """Make the step on the model's present estimator."""
        raise NotImplementedError
