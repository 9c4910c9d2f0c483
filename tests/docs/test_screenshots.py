"""The pictures of the web page: those that the command takes are those that are shown, and their addresses exist."""

import re

import pytest

from dashboard.pages import PAGES
from docs.packing import OUT
from docs.screenshots import SHOTS
from tests.docs.blocks import PAGES as TEXTS

SHOWN = set(re.findall(r"images/(\w+)\.webp", "\n".join(page.read_text(encoding="utf-8") for page in TEXTS)))


def test_every_picture_is_shown_somewhere_and_every_one_shown_is_there():
    assert {path.stem for path in OUT.glob("*.webp")} == SHOWN


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
def test_a_picture_is_taken_of_a_page_that_exists(shot):
    assert (OUT / f"{shot.name}.webp").exists()
    address = re.sub(r"{\w+}", "x", shot.address.partition("?")[0])
    assert any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", page.path), address) for page in PAGES)
