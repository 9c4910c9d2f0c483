"""Makes `pretext_client/aio` from the half of the client for threads: `python client/make_async`; `--check` only compares.

What touches the network is found by following calls from `Http`, whose counterpart for `await` is written by hand. A function that
calls something that waits becomes a coroutine, a generator of that kind an asynchronous one, and a class with such methods gets the
name `Async…`. Everything else is imported from where it is. Edits are made in the text, so comments and docstrings stay, their
examples changed alike. What this overlooks is an error for mypy: a coroutine that nobody awaits, or is used as its result.
"""

import subprocess
import sys
from pathlib import Path

from kinds import TARGET, Half
from rewriting import Writer


def made() -> dict[str, str]:
    """The files of the half for `await`, formatted, by their names."""
    half = Half()
    writer = Writer(half)
    texts = {f"{name}.py": writer.text(source) for name, source in half.sources.items()}
    texts["__init__.py"] = '"""The client for `await`, made by client/make_async from the one for threads."""\n'
    return {name: _formatted(text) for name, text in texts.items()}


def _formatted(text: str) -> str:
    ruff = [str(Path(sys.executable).with_name("ruff"))]
    for command in (["check", "--quiet", "--fix", "--select", "F401,I"], ["format", "--quiet"]):
        arguments = [*ruff, *command, "--stdin-filename", str(TARGET / "made.py"), "-"]
        text = subprocess.run(arguments, input=text, capture_output=True, text=True, check=True).stdout
    return text


def main() -> None:
    """Write the files, or compare them."""
    files = made()
    if "--check" in sys.argv[1:]:
        there = {path.name: path.read_text(encoding="utf-8") for path in TARGET.glob("*.py")}
        if there != files:
            sys.exit("client/pretext_client/aio is not current: run `python client/make_async`")
        return
    TARGET.mkdir(exist_ok=True)
    for path in TARGET.glob("*.py"):
        path.unlink()
    for name, text in files.items():
        (TARGET / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
