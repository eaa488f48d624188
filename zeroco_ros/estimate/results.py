"""What an estimator returns: frozen dataclasses with stated shapes, units and ranges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FlowResult:
    """Dense correspondence from a target image (H, W) to a source image.

    flow: (H, W, 2) float32, pixels; flow[y, x] = (dx, dy) takes target pixel (x, y) to its match
        (x + dx, y + dy) in the source image. Always finite.
    confidence: (H, W) float32 in [0, 1]; with a learned head the calibrated probability that the
        vector ends within 1/200 of the image's longer side of the truth (3.2 px at 640x480), 0
        where there is nothing to see; without one a score that only ranks.
    occluded: (H, W) bool; True where the match does not lead back (hidden in, or outside of, the
        source) or where the confidence is 0.
    forward_backward_error: (H, W) float32, pixels of the target image: the distance between a
        pixel and where its match's own match lies; inf where unknown.
    coarse: (h, w, 2) float32, tokens: the flow of the attention alone on the target's token grid.
    reference_stamp, other_stamp: nanoseconds of the target and of the source frame, or None.
    """

    flow: FloatArray
    confidence: FloatArray
    occluded: BoolArray
    forward_backward_error: FloatArray
    coarse: FloatArray
    reference_stamp: int | None = None
    other_stamp: int | None = None
