import numpy as np
import pytest

from ssl_core.cache import DecodedImages
from ssl_core.clips import ClipSettings, clip_table, segments_of
from ssl_core.errors import UserError
from ssl_core.evaluate.samples import Samples, parts_of
from ssl_core.spec import DatasetFacts


def decoded(
    labels: list[int] | None, splits: list[str | None] | None = None, names: tuple[str, ...] = ("a", "b", "c")
) -> DecodedImages:
    count = len(labels or [0])
    images = np.zeros((count, 8, 8, 3), np.uint8)
    facts = DatasetFacts(images=count, median_side=8)
    found = None if labels is None else np.array(labels)
    return DecodedImages(images, facts, found, names, None if splits is None else tuple(splits))


def parts(images: DecodedImages, **more):
    return parts_of(images, Samples(images.images), **{"test_share": 0.2, "seed": 0, **more})


class TestPartsOf:
    def test_holds_out_a_share_of_each_class(self):
        found = parts(decoded([0] * 50 + [1] * 10))
        assert np.bincount(found.labels[found.test]).tolist() == [10, 2]
        assert sorted([*found.train, *found.test]) == list(range(60))
        assert found.told == "held out, 20% of each class"
        assert parts(decoded([0] * 50 + [1] * 10), seed=1).test.tolist() != found.test.tolist()

    def test_takes_the_datasets_own_split(self):
        found = parts(decoded([0, 0, 1, 1, 0, 1], ["train", "test", "train", "test", "validation", None]))
        assert (found.train.tolist(), found.test.tolist()) == ([0, 2, 4], [1, 3])
        assert found.left_out == {"in no split": 1}

    def test_tests_by_the_validation_split_if_there_is_no_other(self):
        found = parts(decoded([0, 1, 0, 1], ["train", "train", "validation", "validation"]))
        assert found.told == "the dataset's own validation split"

    def test_leaves_out_what_has_no_label_and_classes_of_one_image(self):
        found = parts(decoded([0] * 5 + [-1] * 3 + [1] + [2] * 5))
        assert found.names == ("a", "c")
        assert found.left_out == {"without a label": 3, "of a class that has too few": 1}
        assert set(found.labels[np.r_[found.train, found.test]]) == {0, 1}
        assert (found.labels == -1).sum() == 4

    @pytest.mark.parametrize("labels", [None, [-1, -1], [0] * 9, [0, 1]])
    def test_says_what_is_missing(self, labels):
        with pytest.raises(UserError, match=r"labels|two classes"):
            parts(decoded(labels))


class TestSamples:
    def test_shows_clips_spread_over_a_video(self):
        frames = np.arange(40, dtype=np.uint8).repeat(8 * 8 * 3).reshape(40, 8, 8, 3)
        settings = ClipSettings(4, 2)
        lengths = [30, 3, 7]
        samples = Samples(frames, clip_table([segments_of(length, settings) for length in lengths], settings))
        assert samples.usable(3).tolist() == [0, 2]
        shown = [samples.shown(np.array([0, 2]), view)[:, :, 0, 0, 0].tolist() for view in range(samples.views)]
        assert all(np.diff(clip).tolist() == [2, 2, 2] for view in shown for clip in view)
        assert [view[0][0] for view in shown] == sorted({view[0][0] for view in shown})
        assert {view[1][0] for view in shown} == {33}
        assert samples.pictures(np.array([2])).shape == (1, 8, 8, 3)
