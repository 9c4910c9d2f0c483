"""The five minutes, followed to the letter with less of everything: each command and each line of Python, in the page's order."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.server import Server
from records.settings import Settings
from tests.docs.blocks import ROOT, blocks

SHORTER = {
    "generate(2000)": "generate(40)",
    "steps=240": "steps=2 --set batch_size=16 --set 'formats=[]'",
    "--set label_efficiency.steps=100": "--protocol label_efficiency "
    + " ".join(f"--set 'label_efficiency.{few}'" for few in ("steps=1", "draws=2", 'methods=["linear"]', "labels_per_class=[1]")),
}
"""What a test has no time for, and what stands for it."""
OURS = ("make up", ". .venv/bin/activate")
"""What the fixture does instead."""
STEPS = [block for block in blocks([ROOT / "docs" / "start.md"], "bash", "python") if not block.text.startswith(OURS)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(
        Settings(data_dir=tmp_path / "data", port=0, device="cpu", embed_at_once=False, warm=False), logs=tmp_path / "logs"
    ) as server:
        yield server


@pytest.mark.timeout(240)  # a whole server, a training and an evaluation
def test_every_step_works_as_it_is_written(server: Server, tmp_path: Path):
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PRETEXT_")},
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client")]),
        "PRETEXT_URL": server.url,
        "PRETEXT_API_KEY": server.key,
        "OMP_NUM_THREADS": "1",
    }
    unused, ids, printed = dict(SHORTER), {}, ""
    for step in STEPS:
        text = step.text
        for long, short in SHORTER.items():
            if long in text:
                text = text.replace(long, short)
                unused.pop(long, None)
        for kind, id_ in ids.items():
            text = text.replace(f"{kind}_…", id_)
        assert "…" not in text, f"nothing before gave the id in {text}"
        command = [sys.executable, "-c", text] if step.language == "python" else ["bash", "-euc", text]
        done = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        printed = done.stdout
        ids |= _ids(done.stdout + done.stderr)
    assert unused == {}
    assert re.search(r"\[1, \d+\]", printed), "the last step prints the shape of a picture's features"
    assert (tmp_path / "encoder" / "encoder.safetensors").stat().st_size > 1000
    assert list((tmp_path / "pictures").iterdir())


def _ids(text: str) -> dict[str, str]:
    """The last id of each kind that a command printed."""
    return {kind: whole for whole, kind in re.findall(r"\b((job|model|eval)_\w{4,})", text)}
