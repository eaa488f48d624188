"""Training: a procedural world with exact correspondence, the losses and the loop.

The room needs nothing but the package's own dependencies: every texture is procedural or comes
from photographs inside scikit-image's wheel.
"""
