"""Pictures and flow on disk: reading, writing, coloring, laying out (numpy, OpenCV, Pillow)."""
