"""What a pretext task does to a dataset, in a picture, before anything is trained.

B: samples, R: side of what is decoded, T: frames of a clip.
"""

import numpy as np
import numpy.typing as npt
import torch

from ssl_core.data import draw_for
from ssl_core.encoders import build_encoder
from ssl_core.pretext import build_task
from ssl_core.sheet import drawn
from ssl_core.spec import ResolvedPretrain

SAMPLES = 4
"""Of a dataset, for a preview."""


@torch.no_grad()
def preview(spec: ResolvedPretrain, samples: npt.NDArray[np.uint8]) -> bytes:
    """Draw questions of a task about a few samples, and what is right, as the task's own data path makes them.

    No network is asked: the encoder has shapes and no weights, so that one of any size costs nothing.

    Args:
        spec: the pretraining that would ask.
        samples: uint8 (B, R, R, 3), or (B, T, R, R, 3) of clips.

    Returns:
        A WebP; the same bytes for the same arguments.
    """
    draw_for(spec.seed, "preview")
    with torch.device("meta"):
        encoder = build_encoder(spec.encoder, spec.image_size, clips=spec.clip_frames is not None)
    task = build_task(spec.model_copy(update={"task": spec.task.sketched()}), encoder).eval()
    return drawn(task.preview(torch.from_numpy(samples).movedim(-1, 1)))
