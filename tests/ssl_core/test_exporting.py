import io
import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

from ssl_core.encoders import build_encoder
from ssl_core.errors import UserError
from ssl_core.events import TextEvents
from ssl_core.exporting import run_export
from ssl_core.spec import ResolvedEncoder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """What is known of an uploaded encoder."""
    folder = tmp_path / "model"
    folder.mkdir()
    weights = build_encoder(ResolvedEncoder(name="tiny", stem="standard"), 32).weights()
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / "encoder.safetensors")
    about = {"encoder": {"name": "tiny", "stem": "standard"}, "features": 128, "image_size": 32}
    (folder / "config.json").write_text(json.dumps(about))
    return folder


@pytest.fixture
def export(tmp_path: Path, model: Path):
    def run(*, of: Path = model, report: object = None, **asked: object) -> dict:
        (tmp_path / "spec.json").write_text(json.dumps({"formats": [], **asked}))
        if report is not None:
            (tmp_path / "report.json").write_text(json.dumps(report))
        path = tmp_path / "report.json" if report is not None else None
        run_export(tmp_path / "spec.json", model=of, out=tmp_path / "out", report=path, events=TextEvents(io.StringIO()))
        config: dict = json.loads((tmp_path / "out/bundle/config.json").read_text())
        return config

    return run


class TestStage:
    def test_without_one_the_encoder_is_as_it_was(self, export):
        config = export()
        assert ("ends_at" in config, config["features"], config["preprocessing"]["center_crop"]) == (False, 128, 32)

    def test_the_best_is_the_linear_probes_or_else_that_of_the_neighbours(self, export):
        report = {"knn": {"pretrained": {"best_stage": "stage1"}}}
        assert export(stage="best", report=report)["ends_at"] == "stage1"
        report["linear"] = {"pretrained": {"best_stage": "stage3"}}
        assert export(stage="best", report=report)["ends_at"] == "stage3"

    def test_an_end_stays_and_may_only_come_earlier(self, export, tmp_path: Path):
        export(stage="stage2")
        ended = (tmp_path / "out/bundle").rename(tmp_path / "ended")
        again = export(of=ended)
        assert (again["ends_at"], again["features"]) == ("stage2", 64)
        assert export(of=ended, stage="stage1")["features"] == 32
        with pytest.raises(UserError, match=r"no stage 'stage3'; choose one of stage1, stage2$"):
            export(of=ended, stage="stage3")

    @pytest.mark.parametrize(
        ("asked", "code", "says"),
        [
            ({"stage": "layer3"}, "no_such_stage", "choose one of stage1, stage2, stage3, stage4"),
            ({"stage": "best"}, "no_evaluation", "--report"),
            ({"stage": "best", "report": {"retrieval": {}}}, "no_evaluation", "neither a linear probe nor nearest neighbours"),
            ({"formats": ["tflite"]}, "invalid_spec", "'onnx' or 'pt2'"),
        ],
    )
    def test_what_cannot_be_done_is_told(self, export, asked: dict, code: str, says: str):
        with pytest.raises(UserError, match=says) as caught:
            export(**asked)
        assert caught.value.code == code
