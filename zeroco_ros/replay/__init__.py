"""Bags played through the estimators without ROS: results, metrics and records of a run."""
