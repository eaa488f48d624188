"""Frames over time: which two frames make a pair, and who works on the newest one. No ROS here."""

from zeroco_ros.stream.pairing import Pair, PairingCounters, TemporalPairer
from zeroco_ros.stream.worker import LatestWorker

__all__ = ["LatestWorker", "Pair", "PairingCounters", "TemporalPairer"]
