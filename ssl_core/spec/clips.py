"""How videos are cut into clips: what of it has to be known without decoding anything.

A clip of T frames, every `stride`-th of its video, spans (T - 1) * stride + 1 frames. A video has as many clips as fit into it
without overlap, so that a long one is seen more often than a short one; where in its part of the video a clip begins is drawn anew
each time.
"""

from collections.abc import Iterable


def rounded_length(frames: int) -> int:
    """A number of frames with its first two digits kept. So few different lengths are enough to describe any dataset."""
    scale: int = 10 ** max(0, len(str(frames)) - 2)
    return frames // scale * scale


def span_of(clip_frames: int, stride: int) -> int:
    """Frames of the video from the first to the last of a clip."""
    return (clip_frames - 1) * stride + 1


def clips_in(frames: int, clip_frames: int, stride: int, most: int | None = None) -> int:
    """Number of clips of a video.

    One that is too short for the stride counts as one clip, of frames closer to each other; one with fewer frames than a clip has
    counts as none.

    Args:
        frames: of the video.
        clip_frames: T.
        stride: from one frame of a clip to the next.
        most: most clips of one video.
    """
    if frames < clip_frames:
        return 0
    count = max(1, rounded_length(frames) // span_of(clip_frames, stride))
    return count if most is None else min(most, count)


def clips_of(lengths: Iterable[tuple[int, int]], clip_frames: int, stride: int, most: int | None = None) -> int:
    """Number of clips of a dataset, given pairs of a number of frames and how many videos have it."""
    return sum(videos * clips_in(frames, clip_frames, stride, most) for frames, videos in lengths)
