"""`pretext evaluations`: list reports, see one, download its pictures, delete it."""

from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from pretext_client import completing
from pretext_client.cli_parts import Force, Limit, OfModel, group, listing, put
from pretext_client.progress import evaluation_with_bar
from pretext_client.robustness import robustness
from pretext_client.session import session
from pretext_client.shown import harmless, moment
from pretext_client.types import Evaluation, LabelsSaved

app = group("How many labels encoders save: list, show, download, delete.")

_SAVED_HEADER = "labels per class   accuracy   from scratch   from scratch it needs (95%)"

Id = Annotated[str, typer.Argument(help="Id of the evaluation.", autocompletion=completing.evaluations)]


@listing(app)
def list_evaluations(context: typer.Context, limit: Limit = 100, model: OfModel = None) -> None:
    """List evaluations."""
    with session(context) as run:
        found = list(islice(run.client.evaluations.list(model_id=model), limit))
        rows = [(one.id, *_figures(one), moment(one.created_at), one.sentence, one.model_id) for one in found]
        run.output.table(("id", "kNN", "linear", "created", "answer", "model"), found, rows)


@app.command()
def show(context: typer.Context, evaluation: Id) -> None:
    """Say how many labels the encoder saves, with the figures behind it."""
    with session(context) as run:
        found = run.client.evaluations.get(evaluation)
        run.output.value(found, "\n".join(_lines(found)))


@app.command()
def download(
    context: typer.Context,
    evaluation: Id,
    directory: Annotated[Path | None, typer.Argument(help="Folder for it. Default: one of the evaluation's name.")] = None,
    force: Force = False,
) -> None:
    """Download the report and its pictures, PNG and SVG."""
    with session(context) as run:
        run.interrupted = "Stopped; the same command goes on where this one was."
        put(run, evaluation_with_bar(run.client, evaluation, directory or Path(evaluation), run.output.err, force=force))


@app.command()
def delete(context: typer.Context, evaluation: Id) -> None:
    """Delete a report. The model stays."""
    with session(context) as run:
        found = run.client.evaluations.get(evaluation)
        run.client.evaluations.delete(found.id)
        run.output.value(found, f"{found.id}  deleted")


def _lines(found: Evaluation) -> list[str]:
    report = found.report or {}
    data = report.get("data", {})
    twins = data.get("duplicates", {})
    lines = [found.sentence, ""]
    lines.append(f"{data.get('train')} training and {data.get('test')} test {data.get('kind')}s ({data.get('test_split')})")
    if twins.get("found"):
        lines.append(
            f"{twins['found']} test {data.get('kind')}s are among the training {data.get('kind')}s too, exactly or nearly; "
            f"{twins['removed_from_training']} of these were removed"
        )
    names = {one.id: one.name for one in found.references}
    for name, called in (("knn", "kNN"), ("linear", "linear probe"), ("fine_tune", "fine-tuned")):
        if name in report:
            lines.append(_accuracy(called, report[name]))
            beside = report[name].get("references", {}).items()
            lines += [f"  {harmless(names.get(id_, id_))}: {one['accuracy']:.1%} at {one['best_stage']}" for id_, one in beside]
    if "retrieval" in report:
        ours, theirs = (report["retrieval"][who]["mean_average_precision"] for who in ("pretrained", "untrained"))
        lines.append(f"retrieval: mean average precision {ours:.3f}, untrained {theirs:.3f}")
    if found.labels_saved:
        lines += ["", _SAVED_HEADER, *map(_saved, found.labels_saved)]
    for one in found.references:
        if one.labels_saved:
            lines += ["", f"{harmless(one.name)} ({one.id})", _SAVED_HEADER, *map(_saved, one.labels_saved)]
    if "robustness" in report:
        lines += robustness(report["robustness"])
    return lines


def _accuracy(called: str, measured: dict[str, Any]) -> str:
    ours, other = measured["pretrained"], "untrained" if "untrained" in measured else "scratch"
    stage = f" at {ours['best_stage']}" if "best_stage" in ours else ""
    low, high = ours["interval"]
    return (
        f"{called}: {ours['accuracy']:.1%} ({low:.1%} to {high:.1%}){stage}, balanced {ours['balanced_accuracy']:.1%}; "
        f"{'from scratch' if other == 'scratch' else other} {measured[other]['accuracy']:.1%}"
    )


def _saved(one: LabelsSaved) -> str:
    needed, low, high = (_or_more(value) for value in (one.needed, one.low, one.high))
    told = f"{needed} ({low} to {high})" if one.low is not None else needed
    return f"{one.labels:16,.0f} {one.accuracy:10.1%} {one.scratch_accuracy:14.1%}   {told}"


def _or_more(labels: float | None) -> str:
    return "more than there are" if labels is None else f"{labels:,.0f}" if labels >= 10 else f"{labels:.1f}"


def _figures(found: Evaluation) -> list[str | None]:
    return [_percent(found.metrics.get(name)) for name in ("knn", "linear")]


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"
