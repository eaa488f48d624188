"""Sub-patch refinement that is not learned: OpenCV's DIS started from the coarse flow."""
