"""The part of a card that says what evaluations found. Its figures are those of the reports, unchanged."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ssl_core.card.words import percent, plain
from ssl_core.spec import ENCODERS

_FROZEN = (("knn", "nearest neighbours"), ("linear", "linear probe"))
_USES = (("pretrained_fine_tune", "fine-tuned"), ("pretrained_linear", "linear probe"), ("scratch", "from scratch"))


@dataclass(frozen=True)
class Evaluated:
    """An evaluation of the encoder that the card is about."""

    id: str
    dataset_id: str
    """Of the labelled dataset."""
    dataset: str
    """Its name."""
    at: datetime
    """When it was finished."""
    report: dict[str, Any]
    """As `report.json` has it."""


def sections(config: dict[str, Any], evaluations: Sequence[Evaluated], model_id: str | None) -> str:
    """What was found on each dataset, in Markdown; nothing if there were no evaluations."""
    if not evaluations:
        return ""
    shown = ["\n".join(_section(config, one, model_id)).rstrip() for one in evaluations]
    return "## Evaluation\n\n" + "\n\n".join(shown) + "\n"


def _section(config: dict[str, Any], found: Evaluated, model_id: str | None) -> Iterator[str]:
    report = found.report
    data = report.get("data", {})
    yield f"### On {plain(found.dataset)}\n"
    yield f"{plain(report['sentence'])}\n"
    told = f"{found.at:%Y-%m-%d}, evaluation `{found.id}`, dataset `{found.dataset_id}`"
    if data:
        told += f": {len(report['classes'])} classes, {data['train']:,} training and {data['test']:,} test {data['kind']}s"
    yield f"{told}.\n"
    yield from _label_efficiency(report)
    yield from _frozen(report)
    yield from _best_stage(config, report, model_id)


def _label_efficiency(report: dict[str, Any]) -> Iterator[str]:
    efficiency = report.get("label_efficiency")
    if not efficiency:
        return
    uses = [(key, called) for key, called in _USES if efficiency["points"][0].get(key)]
    needed = {one["labels"]: one for one in report.get("labels_saved") or ()}
    yield f"| labels per class | {' | '.join(called for _, called in uses)} | labels that training from scratch needs |"
    yield "|---|" + "---|" * (len(uses) + 1)
    for point in efficiency["points"]:
        cells = [f"{_interval(point[key]['mean'], point[key]['low'], point[key]['high'])}" for key, _ in uses]
        yield f"| {point['labels_per_class']:,.0f} | {' | '.join(cells)} | {_needed(needed.get(point['labels_per_class']))} |"
    by = report.get("labels_saved_by", "")
    called = dict(_USES).get(by, by)
    yield (
        f"\nTest accuracy over {efficiency['draws']} draws of labels, with 95% intervals; on the right labels per class to be as "
        f"accurate as this encoder, {called}.\n"
    )


def _interval(mean: float, low: float, high: float) -> str:
    return f"{percent(mean)} ({percent(max(0.0, low))} to {percent(min(1.0, high))})"


def _needed(saved: dict[str, Any] | None) -> str:
    if saved is None:
        return ""
    if saved.get("needed") is None:
        return "more than there are"
    shown = _labels(saved["needed"])
    if saved.get("low") is None:
        return shown
    high = "more than there are" if saved.get("high") is None else _labels(saved["high"])
    return f"{shown} ({_labels(saved['low'])} to {high})"


def _labels(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def _frozen(report: dict[str, Any]) -> Iterator[str]:
    rows = []
    for name, called in (*_FROZEN, ("fine_tune", "fine-tuned on all labels")):
        if name in report:
            ours, other = report[name]["pretrained"], report[name].get("untrained") or report[name]["scratch"]
            after = f", after `{ours['best_stage']}`" if "best_stage" in ours else ""
            rows.append(f"| {called}{after} | {_interval(ours['accuracy'], *ours['interval'])} | {percent(other['accuracy'])} |")
    if "retrieval" in report:
        ours, other = (report["retrieval"][who]["mean_average_precision"] for who in ("pretrained", "untrained"))
        rows.append(f"| retrieval, mean average precision, after `{report['retrieval']['stage']}` | {ours:.3f} | {other:.3f} |")
    if rows:
        yield "| test accuracy (95%) | this encoder | untrained network |"
        yield "|---|---|---|"
        yield from rows
        yield ""


def _best_stage(config: dict[str, Any], report: dict[str, Any], model_id: str | None) -> Iterator[str]:
    stage = best_stage(report)
    if stage is None:
        return
    ends_at = config.get("ends_at") or ENCODERS[config["encoder"]["name"]].stages[-1]
    by = "linear probe" if "linear" in report else "nearest neighbours"
    told = f"By {by} the features are best after `{stage}`"
    if stage == ends_at:
        yield f"{told}, where this encoder ends.\n"
        return
    yield f"{told}, and this encoder ends at `{ends_at}`. An encoder that ends there:\n"
    yield f"```\npretext export {model_id or 'MODEL'} --stage {stage} --watch\n```\n"


def best_stage(report: dict[str, Any]) -> str | None:
    """The stage with the best linear probe, or else the best nearest neighbours; None if the report has neither."""
    measured = report.get("linear") or report.get("knn")
    return None if measured is None else str(measured["pretrained"]["best_stage"])


def model_index(name: str, evaluations: Sequence[Evaluated]) -> str:
    """The figures as Hugging Face reads them in the front matter, in YAML; nothing if there are none."""
    results = [line for found in evaluations for line in _results(found)]
    return "\n".join(["model-index:", f"- name: {_text(name)}", "  results:", *results, ""]) if results else ""


def _results(found: Evaluated) -> Iterator[str]:
    kind = found.report.get("data", {}).get("kind", "image")
    for name, called in (*_FROZEN, ("fine_tune", "fine-tuned")):
        if name in found.report:
            ours = found.report[name]["pretrained"]
            after = f", after {ours['best_stage']}" if "best_stage" in ours else ""
            yield "  - task:"
            yield f"      type: {kind}-classification"
            yield f"      name: {_text(called + after)}"
            yield "    dataset:"
            yield f"      type: {_text(found.dataset_id)}"
            yield f"      name: {_text(found.dataset)}"
            yield "    metrics:"
            yield "    - type: accuracy"
            yield f"      value: {ours['accuracy']:.4f}"
            yield f"      name: {_text(f'test accuracy, {called}')}"


def _text(text: str) -> str:
    """A text in YAML, whatever is in it: JSON's quotes are YAML's."""
    return json.dumps(text)
