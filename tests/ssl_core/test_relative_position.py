import pytest
import torch

from ssl_core.pretext.relative_position import _CELLS, RelativePositionTask
from tests.ssl_core.task_tools import noise, spec_of, task_of

SIDE = 96


def task(**settings: object) -> RelativePositionTask:
    made = task_of(spec_of("relative_position", size=SIDE, flip=False, **settings))
    assert isinstance(made, RelativePositionTask)
    return made


def corners(made: RelativePositionTask, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns where the patches of a coded image begin, (B, K) each, and the places asked for."""
    seen = []
    made._normalized = lambda patches: seen.append(patches) or patches  # the pixels as they are
    row = torch.arange(SIDE, dtype=torch.uint8).view(1, 1, -1, 1).expand(batch, 1, SIDE, SIDE)
    images = torch.cat([row, row.transpose(2, 3), row], 1).contiguous(memory_format=torch.channels_last)
    places = made.ask(images)["places"]
    (patches,) = seen
    return torch.stack([patches[:, :, 0, 0, 0], patches[:, :, 1, 0, 0]], 2), places


class TestPlaces:
    def test_each_patch_lies_where_the_answer_says(self):
        corner, places = corners(task(jitter=0), 4)
        from_middle = (corner[:, 1:] - corner[:, :1]).sign().int()
        for place, (down, right) in zip(places.flatten().tolist(), from_middle.flatten(0, 1).tolist(), strict=True):
            assert (down, right) == (_CELLS[place] // 3 - 1, _CELLS[place] % 3 - 1)
        assert places[0].tolist() == list(range(8))

    def test_one_of_eight_is_drawn_for_each_image(self):
        torch.manual_seed(0)
        places = task(pairs="one").ask(noise(400, SIDE))["places"]
        assert places.shape == (400, 1)
        assert places.unique().tolist() == list(range(8))


class TestGaps:
    def test_no_patch_touches_the_middle_one(self):
        made = task()
        torch.manual_seed(0)
        corner, _ = corners(made, 500)
        distance = (corner[:, 1:] - corner[:, :1]).abs().amax(2)  # the larger of both ways: they are apart along one of them
        assert (distance > made.patch).all()

    def test_they_lie_by_draws_of_their_own(self):
        made = task()
        torch.manual_seed(0)
        corner, _ = corners(made, 500)
        regular, _ = corners(task(jitter=0), 1)
        off = corner - regular
        assert off.abs().max() == made.jitter
        assert off.std(0).min() > 0.3 * made.jitter
        middle, other = off[:, 0, 0], off[:, 4, 0]
        assert abs(float(torch.corrcoef(torch.stack([middle, other]))[0, 1])) < 0.15


class TestColors:
    def test_project_leaves_nothing_along_green_and_magenta(self):
        made = task(color="project")
        levels = noise(4, SIDE).float().unsqueeze(1)
        projected = made._normalized(levels)
        # Two images that differ along that axis alone look the same.
        shifted = levels + torch.tensor([-1.0, 2.0, -1.0]).view(1, 1, 3, 1, 1) * torch.randn(4, 1, 1, SIDE, SIDE) * 10
        assert torch.allclose(made._normalized(shifted), projected, atol=1e-3)

    def test_drop_keeps_the_same_channel_of_all_patches_of_an_image(self):
        torch.manual_seed(0)
        patches = task(color="drop").ask(noise(60, SIDE))["patches"].view(60, 9, 3, -1)
        loud = patches.std(3) > 0.5  # (60, 9, 3)
        assert (loud.sum(2) == 1).all()
        assert (loud == loud[:, :1]).all()
        assert loud[:, 0].any(0).all()

    def test_keep_leaves_all_three(self):
        patches = task(color="keep").ask(noise(8, SIDE))["patches"]
        assert (patches.std((2, 3)) > 0.5).all()

    @pytest.mark.parametrize("color", ["project", "keep"])
    def test_no_tone_tells_where_a_patch_was(self, color: str):
        patches = task(color=color).ask(noise(8, SIDE))["patches"]
        assert patches.mean((2, 3)).abs().max() < 1e-4
