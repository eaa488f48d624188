"""Geometry: cameras, rigid transforms, relative pose, triangulation, bundle adjustment, points."""
