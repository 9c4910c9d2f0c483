"""An export from its spec to a new bundle: another end of the encoder, or other formats."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ssl_core.card.evaluations import best_stage
from ssl_core.errors import UserError
from ssl_core.evaluation import clip_settings
from ssl_core.events import Events
from ssl_core.spec.export import BEST, SourcedExport, stages_of

_MADE_HERE = ("features", "parameters", "export_differences", "not_exported", "versions", "ends_at", "source")
"""What the configuration of a bundle says of the bundle itself."""


def run_export(spec: Path, *, model: Path, out: Path, report: Path | None, events: Events) -> None:
    """Make `out/bundle` of an encoder.

    Args:
        spec: JSON file with an `ExportSpec`.
        model: folder with the encoder's weights and configuration; a bundle, or what is known of an uploaded encoder.
        out: folder for what this makes.
        report: `report.json` of an evaluation of it, which says what stage is `best`.
        events: told of everything.

    Raises:
        UserError: it cannot be done; says what to change.
    """
    asked = _read_spec(spec)
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    stage = asked.stage if asked.stage != BEST else _best(report)
    stages = stages_of(config["encoder"]["name"], config.get("ends_at"))
    if stage is not None and stage not in stages:
        raise UserError("no_such_stage", f"the encoder has no stage {stage!r}; choose one of {', '.join(stages)}")
    import torch

    from ssl_core.devices import environment, set_up
    from ssl_core.embed import load_encoder
    from ssl_core.export import write_bundle

    device = torch.device("cpu")  # each file is compared there, and few encoders are large
    set_up(device)
    events.emit("environment", **environment(device))
    events.emit("progress", phase="export", done=0, total=1, unit="models")
    about = _about(config, stage, asked)
    encoder, _ = load_encoder(model, about)
    files = write_bundle(encoder, about, asked.formats, out / "bundle", events)
    events.emit("result", bundle=str(out / "bundle"), files=files, metrics={})


def _about(config: dict[str, Any], stage: str | None, asked: SourcedExport) -> dict[str, Any]:
    """What the new bundle's configuration is to say."""
    from ssl_core.export import preprocessing

    about = {name: value for name, value in config.items() if name not in _MADE_HERE}
    about.setdefault("preprocessing", preprocessing(config["image_size"]))
    clips = clip_settings(config)
    if clips is not None:
        about |= {"clip_frames": clips.frames, "frame_stride": clips.stride}
    if (ends_at := stage or config.get("ends_at")) is not None:
        about["ends_at"] = ends_at
    if asked.source is not None:
        about["source"] = asked.source.model_dump()
    return about


def _best(report: Path | None) -> str:
    if report is None:
        raise UserError("no_evaluation", "which stage is best is what an evaluation finds: give its report.json (--report)")
    try:
        stage = best_stage(json.loads(report.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UserError("no_evaluation", f"{report} cannot be read as the report of an evaluation: {error}") from error
    if stage is None:
        raise UserError("no_evaluation", f"{report} has neither a linear probe nor nearest neighbours, which choose the best stage")
    return stage


def _read_spec(spec: Path) -> SourcedExport:
    try:
        return SourcedExport.model_validate_json(spec.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError("invalid_spec", f"{spec} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, part['loc'])) or 'spec'}: {part['msg']}" for part in error.errors())
        raise UserError("invalid_spec", f"{spec.name}: {told}") from error
