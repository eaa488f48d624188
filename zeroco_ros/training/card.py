# Copyright 2026 zeroco_ros developers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""The model card's text, filled in by `export`."""

from __future__ import annotations

CARD = """# {name}

Cross-attention matching backbone of zeroco_ros (`{file}`, {size} MB, {millions} M parameters,
stored in half precision, computed in single). License: Apache-2.0.

sha256: `{sha256}`

## What it is
A CroCo-shaped network (convolutional stem; encoder of {encoder};
decoder of {decoder}) whose cross-attention was supervised on exact
correspondences of a synthetic world: the "finetuned" variant of the ZeroCo paper, not its
zero-shot claim. Trained from nothing, on the two directions' cost volumes; objective:
{objective}. Temperature beta = {beta}.

## Use
Coarse flow on a 16-pixel token grid, to be refined to sub-pixel (`refine: dis`). Trained on
{crops} pixels; much larger inputs are
beyond what it saw.

## Data
Ray-cast scenes (rooms, rough ground where the recipe asks for it) with boxes, flat and thin
objects and ellipsoids, moving objects, changing light, and homographies. Textures: procedural
ones, and crops of these photographs from scikit-image's wheel, {source}:

{photos}

## Run
`{command}`
at commit `{commit}`, seed {seed}: {steps} steps, {samples} samples
of {pairs} rendered pairs, {minutes} minutes in {processes} process(es) ({device}). The complete
recipe is in the file's metadata (key `recipe`). With `--minutes` the learning rate follows the
clock: another run gives weights that are as good, not the same bits.

## Held-out procedural set
AEPE in pixels at 224x224 over visible pixels, 3x3 read-out, no refinement, of the averaged weights
over the run; step 0 is the error of no motion, the last step is this file. New scenes and
homographies (up to 5, 18 and 40 degrees), new procedural textures; the photographs are those of
training. A few pairs show almost no texture or only a repeated one and dominate the means.

{curve}

## Real data
{notes}

## Limits
- Sub-pixel accuracy comes from the refinement, not from this network.
- Wide baselines, strong in-plane rotation (beyond about 40 degrees) and large untextured areas are
  often wrong; the confidence map is low there but was not calibrated.
"""

HEAD_CARD = """# {name}

Flow head of zeroco_ros (`{file}`, {size} MB, {millions} M parameters, kind `{kind}`, stored in
half precision). License: Apache-2.0.

sha256: `{sha256}`

## What it is
A network that makes the attention's coarse match dense: it compares small windows of its own
convolutional features around the current flow, a few times at 1/8 and 1/4 of the resolution, and
upsamples by convex combination. It needs the two images and any coarse match: it was trained on
that of the backbone `{backbone}`.

## Data
The procedural world with the truth at every pixel: ray-cast scenes with moving objects, and
homographies. Textures: procedural ones, and crops of these photographs from scikit-image's wheel,
nothing else unless `--textures` was given:

{photos}

## Run
`{command}`
at commit `{commit}`, seed {seed}: {steps} steps, {pairs} pairs (both directions of each),
{minutes} minutes in {processes} process(es) ({device}). The complete recipe is in the file's
metadata. With `--minutes` the learning rate follows the clock: another run gives weights that are
as good, not the same bits.

## Held-out procedural set
AEPE in pixels at 224x224 over visible pixels, of the averaged weights, no further refinement.

{curve}

## Confidence
{calibration}

## Real data
Evaluation only, never training.

{notes}
"""

DEPTH_CARD = """# {name}

Depth head of zeroco_ros (`{file}`, {size} MB, {millions} M parameters, stored in half precision).
License: Apache-2.0.

sha256: `{sha256}`

## What it is
ZeroCo-depth as this package understands it (the authors never released theirs): a transformer
aggregates the backbone's cross-attention volume with the decoder's features, a light DPT-like
decoder with skip connections reads it. It also sees the match of the flow head, the intrinsics as
rays, and what the match says about the rays under the relative pose that was estimated from it. No
pose is given. Output: inverse depth up to one scale per pair, and its relative standard deviation.
It was trained on the backbone `{backbone}` and the flow head `{flow}`.

## Data
The procedural world: ray-cast scenes with moving objects, two views each, motion of a robot's
consecutive key frames. Textures: procedural ones, and crops of these photographs from
scikit-image's wheel, nothing else unless `--textures` was given:

{photos}

## Run
`{command}`
at commit `{commit}`, seed {seed}: {steps} steps, {samples} samples (directions of pairs),
{minutes} minutes in {processes} process(es). Loss: {objective}. The complete recipe is in the
file's metadata. With `--minutes` the learning rate follows the clock: another run gives weights
that are as good, not the same bits.

## Held-out procedural sets
Depth after scaling by the ratio of the medians, of the averaged weights. `near`: the camera moves
by 0.5 to 3 % of the scene's depth; `far`: by 5 to 25 %.

{curve}

The finished head on further pairs, beside its own triangulated input (pixels without an answer at
the median) and one depth for all pixels:

{fresh}

## Sigma
The head's sigma is multiplied by {factor}, fitted on these further pairs.

## Real data
Evaluation only, never training.

{notes}
"""
