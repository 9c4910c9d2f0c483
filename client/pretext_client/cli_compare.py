"""`pretext compare`: models side by side, with what differs in how they were made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import typer

from pretext_client import completing
from pretext_client.bound import Evaluation, Job, Model
from pretext_client.errors import NotFound, PretextError
from pretext_client.progress import figure, stopped_early
from pretext_client.session import Session, session
from pretext_client.shown import outline

_FEWEST = 2
_EVALUATIONS = 20
"""Of a model, the newest."""


@dataclass(frozen=True)
class _Compared:
    """A model with what is known of it."""

    model: Model
    job: Job | None
    evaluations: tuple[Evaluation, ...]


def compare(
    context: typer.Context,
    models: Annotated[
        list[str], typer.Argument(help="Ids of models, or of the jobs that made them.", autocompletion=completing.models)
    ],
) -> None:
    """Show models side by side: settings that differ, figures of their trainings, and their newest evaluation on each dataset."""
    if len(models) < _FEWEST:
        raise typer.BadParameter("give at least two models", param_hint="MODELS")
    with session(context) as run:
        found = [_read(run, one) for one in models]
        if run.output.as_json:
            run.output.json([_raw(one) for one in found])
            return
        names = _Names(run)
        rows = [(name, *cells) for name, cells in _rows(found, names) if any(cells)]
        answers = list(_answers(found, names))
        if run.output.for_people:
            run.output.table(("", *(one.model.id for one in found)), [], rows)
            run.output.say("\n".join(f"\n{id_} on {dataset}: {sentence}" for id_, dataset, sentence in answers))
        else:
            told = [
                (f"answer on {dataset}", *(sentence if id_ == one.model.id else "" for one in found))
                for id_, dataset, sentence in answers
            ]
            run.output.table(("", *(one.model.id for one in found)), [], [*rows, *told])


class _Names:
    """Names of datasets, for people; an id where there is none, or two of the same name.

    Args:
        run: the command.
    """

    def __init__(self, run: Session) -> None:
        self._run = run
        self._known: dict[str | None, str] = {None: ""}

    def of(self, dataset_id: str | None) -> str:
        """What to call a dataset."""
        if dataset_id is not None and dataset_id not in self._known:
            try:
                name = self._run.client.datasets.get(dataset_id).name
            except NotFound:
                name = dataset_id
            self._known[dataset_id] = dataset_id if name in self._known.values() else name
        return self._known[dataset_id]


def _read(run: Session, id_: str) -> _Compared:
    if id_.startswith("job_"):
        made = run.client.jobs.get(id_)
        if made.model_id is None:
            raise PretextError(f"{id_} is {made.state} and has made no model")
        id_ = made.model_id
    model = run.client.models.get(id_)
    try:
        job = run.client.jobs.get(model.job_id) if model.job_id is not None else None
    except NotFound:
        job = None
    return _Compared(model, job, tuple(islice(run.client.evaluations.list(model_id=model.id), _EVALUATIONS)))


def _raw(one: _Compared) -> dict[str, Any]:
    return {
        "model": one.model.raw,
        "job": one.job.raw if one.job is not None else None,
        "evaluations": [each.raw for each in one.evaluations],
    }


def _rows(found: list[_Compared], names: _Names) -> Iterator[tuple[str, list[str]]]:
    yield "name", [one.model.name for one in found]
    yield "task", [one.model.task or "" for one in found]
    yield "encoder", [str(one.model.encoder.get("name", "")) for one in found]
    yield "ends at", [one.model.ends_at or "" for one in found]
    yield "image size", [str(one.model.image_size or "") for one in found]
    yield "dataset", [one.model.dataset_id or "" for one in found]
    yield "ended", [_ended(one.job) for one in found]
    yield from _settings(found)
    for name in dict.fromkeys(name for one in found for name in one.model.metrics):
        yield name, [figure(one.model.metrics.get(name)) for one in found]
    yield from _evaluations(found, names)


def _ended(job: Job | None) -> str:
    ended = stopped_early(job) if job is not None else None
    return f"stopped early, {ended[0]:,} of {ended[1]:,} steps" if ended else ""


def _settings(found: list[_Compared]) -> Iterator[tuple[str, list[str]]]:
    """Settings of the trainings that are not all the same."""
    flat = [dict(_flat(one.job.spec)) if one.job is not None else {} for one in found]
    for name in dict.fromkeys(name for one in flat for name in one):
        cells = [outline(one[name]) if one.get(name) is not None else "" for one in flat]
        if len(set(cells)) > 1 and name not in {"dataset_id", "model_id", "task.name", "encoder.name", "image_size"}:
            yield name, cells


def _flat(spec: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in spec.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def _evaluations(found: list[_Compared], names: _Names) -> Iterator[tuple[str, list[str]]]:
    """Figures of the newest evaluation of each model on each dataset: of different datasets they cannot be compared."""
    newest = [_newest(one) for one in found]
    for dataset in dict.fromkeys(dataset for each in newest for dataset in each):
        of = [each.get(dataset) for each in newest]
        for name in dict.fromkeys(name for each in of if each is not None for name in each.metrics):
            yield f"{name} on {names.of(dataset)}", [figure(each.metrics.get(name)) if each is not None else "" for each in of]


def _newest(one: _Compared) -> dict[str | None, Evaluation]:
    found: dict[str | None, Evaluation] = {}
    for each in one.evaluations:  # the newest first
        found.setdefault(each.dataset_id, each)
    return found


def _answers(found: list[_Compared], names: _Names) -> Iterator[tuple[str, str, str]]:
    """Model, dataset, and what the evaluation says in a sentence."""
    for one in found:
        for dataset, each in _newest(one).items():
            yield one.model.id, names.of(dataset), each.sentence
