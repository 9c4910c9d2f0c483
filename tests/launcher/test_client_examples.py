"""The examples in the client's docstrings, in both halves, each run against a real server."""

import ast
import doctest
import inspect
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pretext_client
import pytest
from pretext_client import AsyncPretext, Pretext, load

from launcher.server import Server
from launcher.shapes import generate, write_zip
from records.settings import Settings
from tests import factories

PACKAGE = Path(pretext_client.__file__).parent
SHORTER = {
    '"resnet18"': '"tiny"',
    "epochs=100": "steps=2, batch_size=8, formats=[]",
    'dataset.train("rotation")': 'dataset.train("rotation", "tiny", steps=2, batch_size=8, formats=[])',
    "batch_size=512": "batch_size=8",
    "image_size=224": "image_size=32",
    '["knn", "linear"]': '["knn"]',
}
"""What a test has no time for, and what stands for it."""


@dataclass(frozen=True)
class Shown:
    """The examples of a docstring."""

    where: str
    code: str

    @property
    def waits(self) -> bool:
        """Whether they are for `await`."""
        return self.where.startswith("aio/")

    @property
    def run(self) -> str:
        """What is run of it."""
        code = self.code
        for long, short in SHORTER.items():
            code = code.replace(long, short)
        return code


def shown() -> list[Shown]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for one in ast.walk(tree):
            if isinstance(one, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                code = "".join(each.source for each in doctest.DocTestParser().get_examples(ast.get_docstring(one) or ""))
                if code:
                    found.append(Shown(f"{path.relative_to(PACKAGE)}:{getattr(one, 'name', 'top')}", code))
    return found


SHOWN = shown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples work with: pictures, labels, a bundle."""
    folder = tmp_path_factory.mktemp("client")
    files = folder / "files"
    files.mkdir()
    images, kinds, _ = generate(count=48, seed=0, size=32)
    names = [f"{kind}/{number}.png" for number, kind in enumerate(kinds)]
    write_zip(folder / "pictures.zip", images, names)
    shutil.unpack_archive(folder / "pictures.zip", files / "pictures")
    (files / "labels.csv").write_text(f"file,label\n{names[0]},thing\n")
    for name in ("cat.jpg", "dog.jpg"):
        (files / name).write_bytes(factories.png())
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    settings = Settings(data_dir=folder / "data", port=0, device="cpu", embed_threads=1)
    with Server(settings, logs=folder / "logs") as server:
        yield server


@pytest.fixture(scope="module")
def ids(server: Server, folder: Path) -> dict[str, str]:
    """Ids of one of each thing."""
    with Pretext(server.url, server.key) as pretext:
        dataset = pretext.datasets.upload(folder / "files" / "pictures", name="birds").wait()
        job = dataset.train("rotation", "tiny", steps=2, batch_size=8, formats=[]).wait(check=True)
        job.model().download(folder / "files" / "encoder")
        return {"dataset": dataset.id, "job": job.id, "model": str(job.model_id)}


@pytest.fixture
def _there(server: Server, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where the examples are run, with a client that finds its server by itself, and no job left to the next of them."""
    shutil.copytree(folder / "files", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for name, value in {"PRETEXT_URL": server.url, "PRETEXT_API_KEY": server.key, "XDG_CACHE_HOME": folder / "cache"}.items():
        monkeypatch.setenv(name, str(value))
    yield
    with Pretext() as pretext:
        for job in pretext.jobs.list():
            if not job.ended:
                job.cancel()


def names(pretext: Any, dataset: Any, job: Any, model: Any) -> dict[str, Any]:
    """What the examples know."""
    of = {"Pretext": Pretext, "AsyncPretext": AsyncPretext, "load": load, "numpy": np, "labelled": dataset}
    return of | {"pretext": pretext, "dataset": dataset, "job": job, "model": model}


@pytest.mark.usefixtures("_there")
@pytest.mark.parametrize("example", [one for one in SHOWN if not one.waits], ids=lambda one: one.where)
def test_for_threads(example: Shown, ids: dict[str, str]):
    with Pretext() as pretext:
        known = names(pretext, pretext.datasets.get(ids["dataset"]), pretext.jobs.get(ids["job"]), pretext.models.get(ids["model"]))
        exec(compile(example.run, example.where, "exec"), known)


@pytest.mark.usefixtures("_there")
@pytest.mark.parametrize("example", [one for one in SHOWN if one.waits], ids=lambda one: one.where)
def test_for_await(example: Shown, ids: dict[str, str]):
    async def main() -> None:
        async with AsyncPretext() as pretext:
            dataset, job = await pretext.datasets.get(ids["dataset"]), await pretext.jobs.get(ids["job"])
            known = names(pretext, dataset, job, await pretext.models.get(ids["model"]))
            code = compile(example.run, example.where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            waits = eval(code, known)
            if inspect.iscoroutine(waits):
                await waits

    anyio.run(main)


def test_there_are_examples_of_what_matters():
    told = "\n".join(one.code for one in SHOWN)
    for call in (
        "datasets.upload",
        "jobs.create",
        "jobs.wait",
        "jobs.list",
        "jobs.events",
        "models.load",
        "models.download",
        "keys.create",
    ):
        assert f"pretext.{call}(" in told, call
    assert [one.where for one in SHOWN if one.waits]
    assert {long for long in SHORTER if long not in told} == set()
