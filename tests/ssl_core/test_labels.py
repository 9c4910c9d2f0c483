from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ssl_core.errors import UserError
from ssl_core.labels import given
from ssl_core.labels.given import give
from ssl_core.labels.members import Members
from ssl_core.labels.stored import LabelSet, read, rows_of, version_of, written
from ssl_core.labels.table import open_table

PATHS = ["train/cat/1.jpg", "train/dog/1.jpg", "test/cat/2.jpg", "3.jpg", "deep/3.jpg", "train/caf\u00e9.jpg"]
FOLDERS = LabelSet(("cat", "dog"), np.array([0, 1, 0, -1, -1, -1]), ["train", "train", "test", None, None, "train"])


@pytest.fixture
def members() -> Members:
    return Members([pa.array(PATHS[:2]), pa.array(PATHS[2:])])


@pytest.fixture
def labelled(members: Members, tmp_path: Path):
    def run(table: str, *, mode: given.Mode = "replace", current: LabelSet = FOLDERS):
        (tmp_path / "labels.csv").write_text(table)
        return give(open_table(tmp_path / "labels.csv"), members, FOLDERS, current, mode)

    return run


def named(found: LabelSet) -> list[str | None]:
    return [found.names[label] if label >= 0 else None for label in found.labels]


class TestMembers:
    @pytest.mark.parametrize(
        ("name", "row", "how"),
        [
            ("train/cat/1.jpg", 0, "path"),
            ("./train\\cat\\1.jpg", 0, "path"),
            ("cat/1.jpg", 0, "end"),
            ("2.jpg", 2, "end"),
            ("3.jpg", 3, "path"),
            ("/home/me/train/dog/1.jpg", 1, "longer"),
            ("elsewhere/deep/3.jpg", 4, "longer"),
            ("cafe\u0301.jpg", 5, "end"),
            ("at/1.jpg", -1, ""),
            (".jpg", -1, ""),
            ("bird/2.jpg", -1, ""),
            ("", -1, ""),
        ],
    )
    def test_are_found_by_their_path_or_an_end_of_it(self, members: Members, name: str, row: int, how: str):
        assert (members.find(name).row, members.find(name).how) == (row, how)

    def test_an_end_that_several_have_is_ambiguous(self, members: Members):
        found = members.find("1.jpg")
        assert (found.row, found.ambiguous) == (-1, "ambiguous: 2 files end so, such as train/cat/1.jpg and train/dog/1.jpg")
        twice = Members([pa.array(["a.jpg", "a.jpg", "b.jpg"])])
        assert "2 files have this very name" in twice.find("a.jpg").ambiguous
        assert "several files" in twice.find("x/a.jpg").ambiguous

    def test_the_nearest_is_named(self, members: Members):
        found = members.nearest(["CAT/2.JPG", "2.png", "train/caf\u00e9s.jpg", "something-else.txt"])
        assert found == ["test/cat/2.jpg", "test/cat/2.jpg", "train/caf\u00e9.jpg", None]

    def test_find_what_a_search_through_all_of_them_finds(self):
        generator = np.random.default_rng(0)
        words = ["a", "ab", "b", "a.b", "a-b", "ab0"]
        paths = list(dict.fromkeys("/".join(generator.choice(words, generator.integers(1, 4))) for _ in range(150)))
        members = Members([pa.array(paths)])
        for _ in range(500):
            name = "/".join(generator.choice(words, generator.integers(1, 3)))
            ends = [row for row, path in enumerate(paths) if path == name or path.endswith(f"/{name}")]
            longer = sorted((path for path in paths if name.endswith(f"/{path}")), key=len)
            wanted = paths.index(name) if name in paths else ends[0] if len(ends) == 1 else -1
            if not ends and longer:
                wanted = paths.index(longer[-1])
            assert members.find(name).row == wanted, name


class TestGive:
    def test_replaces_all_labels_and_keeps_the_splits_of_folders(self, labelled):
        found, report = labelled("cat/1.jpg,lion\n2.jpg,ant\n")
        assert named(found) == ["lion", None, "ant", None, None, None]
        assert (found.names, found.splits) == (("ant", "lion"), FOLDERS.splits)
        assert (report.lines, report.matched, report.unlabelled) == (2, 2, 4)
        assert report.first_unlabelled == ["train/dog/1.jpg", "3.jpg", "deep/3.jpg", "train/caf\u00e9.jpg"]

    def test_merges_into_the_labels_that_are_there(self, labelled):
        current = LabelSet(("ant", "cat"), np.array([0, 1, -1, 1, -1, -1]), None)
        found, _ = labelled("cat/1.jpg,\n2.jpg,bee\n", mode="merge", current=current)
        assert (named(found), found.names, found.splits) == ([None, "cat", "bee", "cat", None, None], ("bee", "cat"), None)

    def test_a_column_of_splits_says_all_of_them_or_those_that_it_names(self, labelled):
        table = "file,label,split\ncat/1.jpg,a,VAL\n2.jpg,b,\n"
        assert labelled(table)[0].splits == ["validation", None, None, None, None, None]
        assert labelled(table, mode="merge")[0].splits == ["validation", "train", None, None, None, "train"]

    def test_tells_what_does_not_fit(self, labelled):
        _, report = labelled("file,label,split\n1.jpg,a,\n4.jpg,a,\n2.jpg,a,sometimes\n,a,\ncat/1.jpg,a,\n")
        assert [(one.line, one.reason.split(":")[0]) for one in report.first_unmatched] == [
            (2, "ambiguous"),
            (3, "no such file"),
            (4, "there is no split 'sometimes'; it is train, validation or test"),
            (5, "the line names no file"),
        ]
        assert (report.unmatched, report.matched) == (4, 1)

    def test_lines_that_disagree_count_for_nothing_and_lines_that_agree_once(self, labelled):
        found, report = labelled("cat/1.jpg,a\ntrain/cat/1.jpg,b\ncat/1.jpg,c\n2.jpg,d\n2.jpg,d\n")
        assert named(found)[:3] == [None, None, "d"]
        assert (report.conflicts, report.duplicates) == (1, 1)
        assert (report.first_conflicts[0].lines, report.first_conflicts[0].said) == ((1, 2), ("a", "b"))
        kept, _ = labelled("cat/1.jpg,a\ncat/1.jpg,b\n2.jpg,d\n", mode="merge")
        assert named(kept)[:3] == ["cat", "dog", "d"]

    def test_says_when_columns_are_swapped(self, labelled, monkeypatch):
        with pytest.raises(UserError, match="swapped"):
            labelled("cat,train/cat/1.jpg\ndog,train/dog/1.jpg\n")
        monkeypatch.setattr(given, "MOST_CLASSES", 2)
        with pytest.raises(UserError, match="more than 2 different labels by line 3"):
            labelled("cat/1.jpg,a\ndog/1.jpg,b\n2.jpg,c\n")


class TestStored:
    @pytest.fixture
    def shards(self, tmp_path: Path) -> list[Path]:
        shards = []
        for number, part in enumerate((PATHS[:4], PATHS[4:])):
            table = pa.table({"image": [{"bytes": b"x", "path": path} for path in part]})
            pq.write_table(table, tmp_path / f"shard-{number}.parquet", row_group_size=3)
            shards.append(tmp_path / f"shard-{number}.parquet")
        return shards

    def test_comes_back_as_it_was_and_is_plain_to_others(self, shards: list[Path], tmp_path: Path):
        path = tmp_path / "labels.parquet"
        path.write_bytes(written(FOLDERS, shards))
        found = read(path, shards)
        assert (named(found), found.names, found.splits) == (named(FOLDERS), FOLDERS.names, FOLDERS.splits)
        assert found.version == FOLDERS.version
        assert pq.read_schema(path).types == [pa.string()] * 3
        assert pq.read_table(path).to_pylist()[2] == {"path": "test/cat/2.jpg", "label": "cat", "split": "test"}
        assert [row["path"] for row in rows_of(path, 4, 10)] == PATHS[4:]

    def test_of_another_dataset_is_refused(self, shards: list[Path], tmp_path: Path):
        (tmp_path / "labels.parquet").write_bytes(written(FOLDERS, shards))
        with pytest.raises(UserError, match="other files"):
            read(tmp_path / "labels.parquet", shards[:1])
        with pytest.raises(UserError, match="no file of labels"):
            read(shards[0])

    def test_versions_tell_labels_apart_and_nothing_else(self):
        labels = np.array([0, 1, -1])
        known = version_of(["a", "b"], labels, None)
        assert known == version_of(["a", "b", "of nobody"], labels, [None] * 3)
        assert known == version_of(["b", "a"], np.array([1, 0, -1]), None)
        others = [(["a", "c"], labels, None), (["a", "b"], np.array([0, 1, 1]), None), (["a", "b"], labels, ["train", None, None])]
        assert len({known, *(version_of(*other) for other in others)}) == 4
        assert version_of([], np.array([-1, -1]), None) is None
