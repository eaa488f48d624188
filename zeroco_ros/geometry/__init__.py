"""Geometry of images: warping by a flow field."""
