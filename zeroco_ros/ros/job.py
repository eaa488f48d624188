"""What every worker's job is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zeroco_ros.ros.journal import Journal
from zeroco_ros.ros.metrics import Metrics
from zeroco_ros.ros.model import RunningModel
from zeroco_ros.ros.outputs import Outputs


class Job:
    """One item in, wanted topics out; called on the worker's thread. Made when torch is there.

    values: returns the parameters of now. Exceptions that concern one image or one result are
    counted and logged by the job; others leave, for the worker to report.
    """

    def __init__(
        self,
        model: RunningModel[Any],
        outputs: Outputs,
        journal: Journal,
        metrics: Metrics,
        values: Callable[[], Mapping[str, Any]],
    ) -> None:
        from zeroco_ros.engine.backend import NonFiniteOutput

        self._void = NonFiniteOutput
        self._model = model
        self._outputs = outputs
        self._journal = journal
        self._metrics = metrics
        self._values = values
