"""What a replay found, as one HTML page, and two runs compared."""

from zeroco_ros.report.outcome import Outcome, compare
from zeroco_ros.report.page import write_report

__all__ = ["Outcome", "compare", "write_report"]
