"""A moving camera's recording: frames, calibration and poses from a bag, a video or a folder."""
