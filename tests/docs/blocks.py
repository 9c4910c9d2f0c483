"""What the pages that people wrote show: blocks of code, commands, calls."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md"])


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    page: Path
    language: str
    text: str


def blocks(pages: list[Path], *languages: str) -> list[Block]:
    found = []
    for page in pages:
        for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            if language in languages:
                found.append(Block(page, language, text))
    return found


def commands(text: str) -> Iterator[str]:
    """The commands of a block for a shell, one a line, without comments and continuations."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def words(command: str) -> list[str]:
    return shlex.split(command, comments=True)


def shown(program: str) -> list[tuple[str, str]]:
    """Every command of a program in blocks, with the page that shows it."""
    lines = [(block.page, line) for block in blocks(PAGES, "", "bash") for line in commands(block.text)]
    return [(name_of(page), line) for page, line in lines if line.startswith(f"{program} ")]


def mentioned(program: str) -> list[tuple[str, str]]:
    """Every command in running text, which may leave arguments out, with its page."""
    found = []
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        found += [(name_of(page), line) for line in re.findall(rf"`({program} [^`\n]+)`", text)]
    return found


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()
