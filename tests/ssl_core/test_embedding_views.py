import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ssl_core import embedding_views
from ssl_core.embedding_views import Views

ROWS, FEATURES = 300, 24
NAMES = ["cat", "dog"]


@pytest.fixture
def features() -> np.ndarray:
    """Spread along one direction the most, and along another one second."""
    random = np.random.default_rng(1)
    spread = np.array([3.0, 2.0, *[0.1] * (FEATURES - 2)])
    turned, _ = np.linalg.qr(random.standard_normal((FEATURES, FEATURES)))
    return ((random.standard_normal((ROWS, FEATURES)) * spread + 1) @ turned).astype(np.float32)


@pytest.fixture
def paths(tmp_path: Path, features: np.ndarray) -> list[Path]:
    """Two files of several row groups, as an embed job writes them; sample 7 was left out."""
    described = {"info": {"features": {"label": {"names": NAMES, "_type": "ClassLabel"}}}}
    ids = np.array([number for number in range(ROWS + 1) if number != 7])
    table = pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "path": [f"{number}.png" for number in ids],
            "label": pa.array([None if number % 5 == 0 else int(number % 2) for number in ids], pa.int64()),
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(features.reshape(-1)), FEATURES),
        }
    ).replace_schema_metadata({"huggingface": json.dumps(described)})
    found = [tmp_path / "embeddings-00000.parquet", tmp_path / "embeddings-00001.parquet"]
    pq.write_table(table.slice(0, 200), found[0], row_group_size=64)
    pq.write_table(table.slice(200), found[1], row_group_size=64)
    return found


def units(features: np.ndarray) -> np.ndarray:
    return features / np.linalg.norm(features, axis=1, keepdims=True)


class TestNeighbors:
    @pytest.mark.parametrize("id_", [0, 8, 150, ROWS])
    def test_are_those_of_the_largest_cosines(self, paths: list[Path], features: np.ndarray, id_: int):
        place = id_ - (id_ > 7)
        cosines = units(features) @ units(features)[place]
        expected = [number + (number >= 7) for number in np.argsort(-cosines).tolist() if number != place][:9]
        with Views(paths) as views:
            row, near = views.neighbors(id_, 9)
        assert (row.id, row.path) == (id_, f"{id_}.png")
        assert [one.id for one in near] == expected
        assert near[0].similarity == pytest.approx(np.sort(cosines)[-2], abs=1e-5)
        assert [one.label for one in near] == [None if one.id % 5 == 0 else NAMES[one.id % 2] for one in near]

    @pytest.mark.parametrize("id_", [7, ROWS + 1])
    def test_of_what_is_not_there_are_none(self, paths: list[Path], id_: int):
        with Views(paths) as views:
            assert views.neighbors(id_, 3) is None

    def test_are_all_others_at_most(self, paths: list[Path]):
        with Views(paths) as views:
            _, near = views.neighbors(0, 1000)
        assert len({one.id for one in near} - {0}) == ROWS - 1


class TestMap:
    def test_is_of_the_two_widest_directions(self, paths: list[Path], features: np.ndarray):
        centred = units(features) - units(features).mean(0)
        _, spreads, axes = np.linalg.svd(centred, full_matrices=False)
        with Views(paths) as views:
            found = views.map(1000)
        assert len(found.rows) == ROWS
        expected = centred @ axes[:2].T
        for component in range(2):
            cosine = found.places[:, component] @ expected[:, component]
            assert abs(cosine) == pytest.approx(np.square(expected[:, component]).sum(), rel=1e-3)
        assert found.explained == pytest.approx((np.square(spreads) / np.square(spreads).sum())[:2], rel=1e-3)

    def test_is_of_rows_from_everywhere_and_the_same_each_time(self, paths: list[Path]):
        with Views(paths) as views:
            found, again = views.map(10), views.map(10)
        assert [row.id for row in found.rows] == list(range(16, ROWS, 30))
        assert np.array_equal(found.places, again.places)

    def test_reads_parts_of_what_is_large(self, paths: list[Path], monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(embedding_views, "MOST_READ", 3 * 64 * FEATURES * 4)
        with Views(paths) as views:
            found = views.map(1000)
        assert 64 < len(found.rows) < ROWS
        assert max(row.id for row in found.rows) > 200 > min(row.id for row in found.rows)

    def test_of_embeddings_that_are_all_the_same_is_a_point(self, tmp_path: Path):
        same = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(12, np.float32)), 4)
        pq.write_table(pa.table({"id": [0, 1, 2], "path": ["a", "b", "c"], "embedding": same}), tmp_path / "same.parquet")
        with Views([tmp_path / "same.parquet"]) as views:
            found = views.map(5)
        assert np.abs(found.places).max() < 1e-6
        assert found.rows[2].label is None
