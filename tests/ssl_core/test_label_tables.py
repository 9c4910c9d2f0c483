from pathlib import Path

import pytest

from ssl_core.errors import UserError
from ssl_core.labels.table import open_table


@pytest.fixture
def rows(tmp_path: Path):
    def read(content: str | bytes) -> list[tuple[str, str, str]]:
        path = tmp_path / "labels.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return [(row.file, row.label, row.split) for row in open_table(path).rows() if not row.problem]

    return read


class TestColumns:
    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    @pytest.mark.parametrize("header", [True, False])
    @pytest.mark.parametrize("begins", ["", "\ufeff"])
    @pytest.mark.parametrize("ends", ["\n", "\r\n"])
    def test_are_found_however_they_are_separated(self, rows, separator: str, header: bool, begins: str, ends: str):
        lines = [["file", "label", "split"]] * header + [["a.jpg", "cat", "train"], ["b.jpg", "dog", ""]]
        content = begins + ends.join(separator.join(line) for line in lines)
        assert rows(content) == [("a.jpg", "cat", "train"), ("b.jpg", "dog", "")]

    def test_may_stand_in_any_order_and_among_others(self, rows):
        assert rows("Label,width,File_Name\ncat,32,a.jpg\n") == [("a.jpg", "cat", "")]

    def test_names_may_be_quoted(self, rows):
        assert rows('file,label\n"a, b.jpg","the ""big"" cat"\n\n  \n') == [("a, b.jpg", 'the "big" cat', "")]

    def test_two_ways_to_write_an_accent_are_one_class(self, rows):
        (_, first, _), (_, second, _) = rows("1.jpg,cafe\u0301\n2.jpg,caf\u00e9\n")
        assert first == second

    def test_a_line_of_other_columns_is_a_problem_of_its_own(self, tmp_path: Path):
        path = tmp_path / "labels.csv"
        path.write_text("file,label\na.jpg,cat\nb,c.jpg,dog\nd.jpg\ne.jpg,cat,,\n")
        found = [(row.line, row.file, row.problem[:22]) for row in open_table(path).rows()]
        assert found == [
            (2, "a.jpg", ""),
            (3, "b", "the line has 3 columns"),
            (4, "d.jpg", "the line has 1 columns"),
            (5, "e.jpg", ""),
        ]

    def test_a_character_at_the_end_of_what_is_looked_at_first_is_whole(self, rows):
        for shift in range(3):
            content = "file,label\n" + "a" * shift + "\u20ac.jpg,cat\n" * 6000
            assert len(rows(content)) == 6000


class TestRefused:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            ("a.jpg\nb.jpg\n", "one column"),
            ("", "no lines"),
            ("name,class\nx,y\n", "none is called `file`"),
            ("file,breed\nx,y\n", "none is called `label`"),
            ("a,b,c,d\n1,2,3,4\n", "which are the file and the label"),
            (b"PK\x03\x04rest", "Excel workbook"),
            (b"a,b\0c\n", "binary"),
            ("a.jpg,cat".encode("utf-16"), "UTF-16"),
            (b"a.jpg,cat\n\xe9.jpg,dog\n", "in line 2 are bytes that are no UTF-8"),
            (b"a.jpg,cat\n" * 20_000 + b"\xe9.jpg,dog\n", "no UTF-8"),
            ("a.jpg,c\x07t\n", "control characters"),
            ("a.jpg,c\u202et\n", "control characters"),
            ("a.jpg," + "c" * 201, "201 characters"),
            ('a.jpg,"cat\nb.jpg,dog\n', "quotation mark"),
            ('a.jpg,"' + "cat\n" * 50_000, "quotation mark"),
        ],
    )
    def test_says_what_is_wrong(self, rows, content: str | bytes, says: str):
        with pytest.raises(UserError, match=says):
            rows(content)
