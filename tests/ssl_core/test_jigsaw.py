import math
from itertools import permutations

import numpy as np
import pytest
import torch

from ssl_core.pretext.jigsaw import JigsawTask
from ssl_core.pretext.permutations import permutation_set, smallest_distance
from ssl_core.pretext.tiles import cut, standardized
from ssl_core.spec import SpecError
from tests.ssl_core.task_tools import batch_of, noise, shapes, spec_of, task_of


def task(size: int = 96, **settings: object) -> JigsawTask:
    made = task_of(spec_of("jigsaw", size=size, crop="none", flip=False, **settings))
    assert isinstance(made, JigsawTask)
    return made


def coded(batch: int, size: int) -> torch.Tensor:
    """Images whose red is the row and green the column of each pixel; blue is the same as red."""
    row = torch.arange(size, dtype=torch.uint8).view(1, 1, -1, 1).expand(batch, 1, size, size)
    column = row.transpose(2, 3)
    return torch.cat([row, column, row], 1).contiguous(memory_format=torch.channels_last)


class TestPermutations:
    @pytest.mark.parametrize(("things", "count"), [(4, 24), (4, 10), (9, 2), (9, 30), (9, 100), (9, 1000)])
    def test_all_are_permutations_and_none_comes_twice(self, things: int, count: int):
        found = permutation_set(things, count)
        assert found.shape == (count, things)
        assert (np.sort(found, axis=1) == np.arange(things)).all()
        assert len({tuple(row) for row in found}) == count

    def test_all_24_of_four_tiles(self):
        assert {tuple(row) for row in permutation_set(4, 24)} == set(permutations(range(4)))

    @pytest.mark.parametrize(("count", "distance"), [(2, 9), (9, 9), (72, 7), (100, 6), (1000, 5)])
    def test_they_are_as_far_from_each_other_as_promised(self, count: int, distance: int):
        assert smallest_distance(permutation_set(9, count)) >= distance

    def test_each_next_one_is_the_farthest_there_is(self):
        found = permutation_set(5, 30)
        every = np.array(list(permutations(range(5))), np.uint8)
        for number in range(1, 30):
            reach = (every[:, None] != found[None, :number]).sum(2).min(1)
            own = (found[number] != found[:number]).sum(1).min()
            assert own == reach.max()

    def test_the_set_is_made_once_and_cannot_be_changed(self):
        found = permutation_set(9, 50)
        assert permutation_set(9, 50) is found
        with pytest.raises(ValueError, match="read-only"):
            found[0, 0] = 3


class TestTiles:
    def test_come_from_their_cells_with_gaps_of_their_own(self):
        made = task(grayscale=0, color_jitter=0)
        torch.manual_seed(0)
        images = coded(400, 96)
        orders = made.orders
        question = made._shuffled(images)
        # What was cut is known by drawing it again without normalisation.
        torch.manual_seed(0)
        torch.randint(len(orders), (400,))
        margins = torch.randint(0, 32 - made.tile + 1, (2, 400, 9))
        cells = orders[question["orders"]]
        top, left = cells // 3 * 32 + margins[0], cells % 3 * 32 + margins[1]
        tiles = standardized(cut(images, top, left, made.tile)).flatten(0, 1)
        assert torch.equal(tiles, question["tiles"])
        assert margins.unique().tolist() == list(range(9))
        assert margins[0].float().std(1).min() > 0.5  # the tiles of an image lie in their cells by draws of their own

    def test_their_means_and_deviations_say_nothing(self):
        made = task()
        tiles = made.ask(batch_of(shapes(32, 96), 32))["tiles"]
        assert tiles.mean((2, 3)).abs().max() < 1e-4
        assert ((tiles.std((2, 3)) - 1).abs() < 0.25).float().mean() > 0.9

    def test_a_classifier_of_nine_tile_means_guesses(self):
        made = task(permutations=9)
        images = shapes(300, 96)
        rows, answers = [], []
        for seed in range(4):
            torch.manual_seed(seed)
            question = made.ask(batch_of(images, 300))
            rows.append(question["tiles"].mean((2, 3)).view(300, -1))
            answers.append(question["orders"])
        inputs = torch.cat([torch.cat(rows), torch.ones(1200, 1)], 1).double()
        inputs = inputs / inputs.std(0).clamp(min=1e-9)
        wanted = torch.nn.functional.one_hot(torch.cat(answers), 9).double()
        weights = torch.linalg.lstsq(inputs[:900], wanted[:900], driver="gelsd").solution
        right = ((inputs[900:] @ weights).argmax(1) == torch.cat(answers)[900:]).double().mean()
        assert float(right) < 1 / 9 + 4 * math.sqrt(1 / 9 * 8 / 9 / 300)

    def test_all_tiles_of_an_image_lose_their_colours_or_none(self):
        made = task(grayscale=0.5, color_jitter=0)
        torch.manual_seed(0)
        tiles = made.ask(noise(100, 96))["tiles"].view(100, 9, 3, -1)
        gray = ((tiles[:, :, 0] - tiles[:, :, 2]).abs().amax(2) < 1e-3).float().mean(1)
        assert set(gray.tolist()) == {0.0, 1.0}
        assert 0.3 < float(gray.mean()) < 0.7

    def test_channels_are_shifted_against_each_other_within_the_cell(self, monkeypatch: pytest.MonkeyPatch):
        made, seen = task(color_jitter=2, grayscale=0), []
        monkeypatch.setattr("ssl_core.pretext.jigsaw.standardized", lambda tiles: seen.append(tiles) or tiles)
        torch.manual_seed(1)
        question = made._shuffled(coded(300, 96))
        (tiles,) = seen  # (B, K, 3, T, T)
        top, left, other_top = tiles[:, :, 0, 0, 0], tiles[:, :, 1, 0, 0], tiles[:, :, 2, 0, 0]
        assert (top - other_top).unique().tolist() == list(range(-4, 5))
        cells = made.orders[question["orders"]]
        for start, cell in ((top, cells // 3), (other_top, cells // 3), (left, cells % 3)):
            assert (start >= 32 * cell).all()
            assert (start + made.tile <= 32 * (cell + 1)).all()

    @pytest.mark.parametrize(("size", "jitter"), [(32, 0), (96, 1), (224, 2)])
    def test_the_shift_of_channels_grows_with_the_tiles(self, size: int, jitter: int):
        assert spec_of("jigsaw", size=size).task.color_jitter == jitter

    def test_another_tile_changes_no_tile_s_features(self):
        made = task().eval()
        question = made.ask(batch_of(shapes(4, 96), 4))
        other = question["tiles"].clone()
        other[5] = torch.randn_like(other[5])
        with torch.no_grad():
            before, after = made.each(made.encoder(question["tiles"])), made.each(made.encoder(other))
        changed = (before - after).abs().amax(1) > 1e-6
        assert changed.nonzero().flatten().tolist() == [5]


class TestSpec:
    def test_small_images_have_four_tiles_and_all_their_permutations(self):
        settings = spec_of("jigsaw", size=32).task
        assert (settings.grid, settings.permutations, settings.chance()) == (2, 24, 1 / 24)

    @pytest.mark.parametrize(
        ("asked", "param"),
        [
            ({"grid": 2, "permutations": 25}, "task.permutations"),
            ({"encoder": "vit_b_16", "size": 224}, "encoder.name"),
            ({"encoder": "alexnet", "size": 96}, "image_size"),
        ],
    )
    def test_what_cannot_be_is_refused(self, asked: dict, param: str):
        with pytest.raises(SpecError) as caught:
            spec_of("jigsaw", **asked)
        assert caught.value.param == param

    @pytest.mark.parametrize(("size", "helps"), [(96, False), (192, True)])
    def test_fewer_tiles_are_recommended_where_they_help(self, size: int, helps: bool):
        with pytest.raises(SpecError) as caught:
            spec_of("jigsaw", encoder="alexnet", size=size)
        assert ("a `grid` of 2" in str(caught.value)) == helps
