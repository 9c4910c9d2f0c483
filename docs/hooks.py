"""What mkdocs calls while it builds: adds the pages that are made from the code, and fills in what the others leave open.

A page asks for something made by a line such as `<!-- made: task-settings rotation -->`.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "client")]

from docs.generators import commands, errors, events, figures, narrow, openapi, python, settings, tasks  # noqa: E402  the path comes first

MADE: dict[str, Callable[..., str]] = {
    "errors-of-requests": errors.requests_table,
    "errors-of-jobs": errors.jobs_table,
    "evaluation-settings": settings.evaluation,
    "events": events.overview,
    "labels-saved-sentence": figures.labels_saved_sentence,
    "server-settings": settings.server,
    "task-about": tasks.about,
    "task-figures": figures.of_task,
    "task-settings": settings.task,
    "tasks": tasks.overview,
    "training-settings": settings.training,
}
_MARK = re.compile(r"^<!-- made: (\S+)((?: \S+)*) -->$", re.MULTILINE)
_REFERENCES = {"HTTP": openapi.pages, "Python": python.pages, "Commands": commands.pages}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages that are made into the navigation, in place of the word that stands for them there."""
    made = {f"made: {title}": list(pages()) for title, pages in _REFERENCES.items()}
    made["made: decisions"] = [
        path.relative_to(ROOT / "docs").as_posix() for path in sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    ]
    config.nav = _filled(config.nav, made)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from the code, and those that lie elsewhere in the repository."""
    pages = {path: text for make in _REFERENCES.values() for path, text in make().items()}
    pages["benchmarks.md"] = figures.LOG.read_text(encoding="utf-8")
    pages["contributing.md"] = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, /, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  mkdocs gives them by name
    """Fill in what a page leaves open."""

    def made(found: re.Match[str]) -> str:
        if found[1] not in MADE:
            raise PluginError(f"{page.file.src_uri} asks for {found[1]!r}; there is {', '.join(MADE)}")
        return MADE[found[1]](*found[2].split())

    return _MARK.sub(made, markdown)


def on_page_content(html: str, /, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  mkdocs gives them by name
    """Have tables be read on a phone, too."""
    return narrow.readable(html)


def _filled(nav: Any, made: dict[str, list[str]]) -> Any:
    if isinstance(nav, list):
        parts = [_filled(one, made) for one in nav]
        return [one for part in parts for one in (part if isinstance(part, list) else [part])]
    if isinstance(nav, dict):
        return {title: _filled(below, made) if isinstance(below, list) else below for title, below in nav.items()}
    return made.get(nav, nav)
