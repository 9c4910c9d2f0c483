import io
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ssl_core.answering import Models
from ssl_core.encoders import build_encoder
from ssl_core.errors import UserError
from ssl_core.frames import read_frame, write_frame
from ssl_core.spec import ResolvedEncoder


def bundle(folder: Path, *, seed: int = 0, name: str = "tiny") -> Path:
    folder.mkdir()
    torch.manual_seed(seed)
    encoder = build_encoder(ResolvedEncoder(name=name, stem="standard"), 32)
    save_file({key: value.contiguous() for key, value in encoder.weights().items()}, folder / "encoder.safetensors")
    config = {"encoder": {"name": name, "stem": "standard"}, "features": encoder.features, "image_size": 32}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


class TestFrames:
    def test_come_over_whole(self):
        pipe = io.BytesIO()
        write_frame(pipe, {"model": "a"}, [b"one", b"", b"\n{}"])
        write_frame(pipe, {"keep": []})
        pipe.seek(0)
        assert read_frame(pipe) == ({"model": "a"}, [b"one", b"", b"\n{}"])
        assert read_frame(pipe) == ({"keep": []}, [])
        assert read_frame(pipe) is None

    def test_one_that_is_cut_off_is_none(self):
        pipe = io.BytesIO()
        write_frame(pipe, {"model": "a"}, [b"one"])
        for length in range(len(pipe.getvalue())):
            assert read_frame(io.BytesIO(pipe.getvalue()[:length])) is None


class TestModels:
    def test_those_used_longest_ago_make_room(self, tmp_path: Path):
        folders = {name: bundle(tmp_path / name, seed=seed) for seed, name in enumerate("abc")}
        size = Models(torch.device("cpu"), 0).get("a", folders["a"]).bytes
        models = Models(torch.device("cpu"), 2 * size)
        first = models.get("a", folders["a"])
        models.get("b", folders["b"])
        assert models.get("a", tmp_path / "gone") is first
        models.get("c", folders["c"])
        assert models.names == ["a", "c"]

    def test_one_that_is_larger_than_the_bound_is_kept_alone(self, tmp_path: Path):
        models = Models(torch.device("cpu"), 0)
        for name in "ab":
            models.get(name, bundle(tmp_path / name))
            assert models.names == [name]

    def test_deleted_ones_are_dropped(self, tmp_path: Path):
        models = Models(torch.device("cpu"), 1 << 30)
        for name in "ab":
            models.get(name, bundle(tmp_path / name))
        models.forget_all_but(["b", "c"])
        assert models.names == ["b"]

    def test_encoders_of_videos_are_refused(self, tmp_path: Path):
        with pytest.raises(UserError, match="job of the kind `embed`"):
            Models(torch.device("cpu"), 0).get("a", bundle(tmp_path / "a", name="tiny3d"))
