"""A new training: dataset, task, encoder, and, folded, everything else that can be set."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from nicegui import html, ui
from nicegui.element import Element
from pretext_client import InvalidRequest
from pretext_client.types import Dataset, Encoder, Job, Json, Task

from dashboard import words
from dashboard.calls import ask, told
from dashboard.pages.base import Page
from dashboard.pages.datasets import contents_of
from dashboard.parts import basics
from dashboard.parts.estimate import Estimate
from dashboard.parts.same_request import as_curl, as_python
from dashboard.parts.schema_form import SchemaForm, WrongInputError, explained
from dashboard.parts.task_cards import TaskCards

_MOST_DATASETS = 100
_COMMON = ("epochs", "image_size", "batch_size")
_ELSEWHERE = ("task", "encoder", "dataset_id", "kind", "metadata", "optimizer", "evaluate", "early_stopping", "formats", *_COMMON)
_OF_CLIPS = ("clip_frames", "frame_stride", "clips_per_video")
_DECIDED = ("steps", "device", "precision", "task", "encoder", "formats", "optimizer", "early_stopping")
"""What a clone does not take over as it was decided: given below in a way of its own, or decided anew."""


async def build(dataset: str = "", clone: str = "", task: str = "") -> None:
    """The form; filled in as another job was, if one is cloned."""
    source: Job | None = await ask(lambda pretext: pretext.jobs.get(clone)) if clone else None
    wanted = dataset or (source.dataset_id if source is not None else "") or ""
    datasets = await ask(lambda pretext: list(islice(pretext.datasets.list(state="ready", limit=_MOST_DATASETS), _MOST_DATASETS)))
    if wanted and wanted not in {one.id for one in datasets}:
        datasets.insert(0, await ask(lambda pretext: pretext.datasets.get(wanted)))
    lead = f"As {source.id} was; change what you like." if source is not None else "Choose what to learn from, and by which task."
    basics.heading("New job", lead)
    if not datasets:
        with basics.empty("There is nothing to learn from yet", "Upload pictures first. They need no labels.", "image"):
            basics.link("Upload pictures", "/datasets", look="button primary")
        return
    tasks = await ask(lambda pretext: list(pretext.tasks()))
    encoders = await ask(lambda pretext: list(pretext.encoders()))
    schema = await ask(lambda pretext: pretext.job_schema())
    _Form(datasets, tasks, encoders, schema, source, wanted, task)


class _Form:
    """The form and what is chosen in it."""

    def __init__(
        self,
        datasets: Sequence[Dataset],
        tasks: Sequence[Task],
        encoders: Sequence[Encoder],
        schema: Json,
        source: Job | None,
        dataset_id: str,
        task: str,
    ) -> None:
        self._datasets = {one.id: one for one in datasets}
        self._encoders, self._schema = encoders, schema
        spec: dict[str, Any] = dict(source.spec) if source is not None else {}
        self._given = {name: value for name, value in spec.items() if name not in _DECIDED}
        self._task_given: dict[str, Any] = dict(spec.get("task", {}))
        self._optimizer_given = {name: value for name, value in spec.get("optimizer", {}).items() if name != "warmup_steps"}
        self._encoder = str(spec.get("encoder", {}).get("name", "auto"))
        self._dataset = self._datasets[dataset_id] if dataset_id else next(iter(self._datasets.values()))
        self._evaluate = self._stop_early = False
        with html.div().classes("new-job"):
            with html.div().classes("job-main"):
                self._dataset_card()
                self._tasks = TaskCards(tasks, task or str(self._task_given.get("name", "")), self._on_task)
                self._encoder_card()
                self._advanced_card()
            with html.div().classes("job-side sticky"):
                self._summary_card()
        self._tasks.show(self._dataset)

    def _dataset_card(self) -> None:
        with basics.card("Dataset") as card:
            select: Element = html.select().classes("field").props("aria-label=Dataset")
            with select:
                for one in self._datasets.values():
                    chosen = "selected" if one.id == self._dataset.id else ""
                    html.option(f"{one.name} — {contents_of(one)}", value=one.id).props(chosen)
            select.on("change", lambda event: self._on_dataset(str(event.args)), js_handler="(e) => emit(e.target.value)")
        card.classes("dataset-choice")

    def _encoder_card(self) -> None:
        with basics.card("Encoder", "The network that is trained, and that you download at the end."):
            self._encoder_select: Element = html.select().classes("field").props("aria-label=Encoder")
            self._encoder_select.on(
                "change", lambda event: self._on_encoder(str(event.args)), js_handler="(e) => emit(e.target.value)"
            )
            self._encoder_said = html.p("").classes("quiet small")

    def _advanced_card(self) -> None:
        with basics.card("Length and size", "What is left empty, the server decides for this dataset."):
            self._common = SchemaForm(self._schema, values=self._given, only=_COMMON, on_change=self._changed)
        with html.details().classes("card fold") as self._fold:
            html.summary("Advanced")
            with html.div().classes("form"):
                self._task_heading = html.h3("Task")
                self._task_place = html.div()
                html.h3("Training")
                self._training = SchemaForm(self._schema, values=self._given, leave_out=_ELSEWHERE, on_change=self._changed)
                html.h3("Optimizer")
                optimizer = self._schema["properties"]["optimizer"]
                self._optimizer = SchemaForm(
                    optimizer, path="optimizer", values=self._optimizer_given, leave_out=(), on_change=self._changed
                )
        self._task_form: SchemaForm | None = None

    def _summary_card(self) -> None:
        with basics.card("Start"):
            self._said = html.p("")
            self._after("Evaluate it when it is trained: how many labels does it save?", "evaluate")
            self._after("Stop early when it no longer improves", "stop")
            self._estimate = Estimate()
            self._trouble = html.div(role="alert")
            basics.button("Start the training", self._submit, look="primary wide")
        with html.details().classes("card fold"):
            html.summary("The same as code")
            with html.div().classes("form"):
                self._curl = basics.code("", "the request for curl")
                self._python = basics.code("", "the request in Python")

    def _after(self, text: str, what: str) -> None:
        with html.label().classes("switch") as row:
            box = html.input_(type="checkbox")
            html.span(text)
        box.on("change", lambda event: self._set_after(what, bool(event.args)), js_handler="(e) => emit(e.target.checked)")
        if what == "evaluate":
            self._evaluate_row = row

    def _set_after(self, what: str, wanted: bool) -> None:
        if what == "evaluate":
            self._evaluate = wanted
        else:
            self._stop_early = wanted
        self._changed()

    def _on_dataset(self, dataset_id: str) -> None:
        self._dataset = self._datasets[dataset_id]
        self._tasks.show(self._dataset)

    def _on_task(self, task: Task) -> None:
        """Another task: its settings, and the encoders that fit."""
        self._task = task
        given = self._task_given if self._task_given.get("name") == task.name else {}
        basics.set_text(self._task_heading, f"Task: {words.named(task.name)}")
        self._task_place.clear()
        with self._task_place:
            self._task_form = SchemaForm(task.schema, path="task", values=given, on_change=self._changed)
        fitting = [one for one in self._encoders if task.modality in {one.modality, "video"}]
        if self._encoder != "auto" and self._encoder not in {one.name for one in fitting}:
            self._encoder = "auto"
        self._encoder_select.clear()
        with self._encoder_select:
            for name, text in (("auto", "Automatic"), *((one.name, f"{one.name} — {_size(one)}") for one in fitting)):
                html.option(text, value=name).props("selected" if name == self._encoder else "")
        for name in _OF_CLIPS:
            if name in self._training.fields:
                self._training.fields[name].row.set_visibility(task.modality == "video")
        self._on_encoder(self._encoder)

    def _on_encoder(self, name: str) -> None:
        self._encoder = name
        found = next((one for one in self._encoders if one.name == name), None)
        usual = "r3d_18" if self._task.modality == "video" else "resnet18"
        basics.set_text(
            self._encoder_said, found.summary if found is not None else f"The usual one for this kind of data: {usual}."
        )
        self._changed()

    def _changed(self) -> None:
        self._evaluate_row.set_visibility(bool(self._dataset.labels))
        basics.set_text(self._said, f"{words.named(self._task.name)} on {self._dataset.name}, {contents_of(self._dataset)}.")
        try:
            request = self._request()
        except WrongInputError:
            return
        basics.set_text(self._curl, as_curl(request))
        basics.set_text(self._python, as_python(request))
        self._estimate.ask(request)

    def _request(self) -> dict[str, Any]:
        """What is asked for, without what was left as it is.

        Raises:
            WrongInputError: a field holds no value; it says so itself.
        """
        assert self._task_form is not None
        request: dict[str, Any] = {
            "dataset_id": self._dataset.id,
            "task": {"name": self._task.name, **self._task_form.values()},
            **self._common.values(),
            **self._training.values(),
        }
        if self._encoder != "auto":
            request["encoder"] = {"name": self._encoder}
        if optimizer := self._optimizer.values():
            request["optimizer"] = optimizer
        if self._evaluate and self._dataset.labels:
            request["evaluate"] = {}
        if self._stop_early:
            request["early_stopping"] = {}
        return request

    async def _submit(self) -> None:
        self._trouble.clear()
        try:
            request = self._request()
        except WrongInputError:
            self._show_first_mistake()
            return
        with told():
            try:
                job = await ask(lambda pretext: pretext.jobs.create(request.pop("dataset_id"), **request))
            except InvalidRequest as error:
                self._refused(error)
                return
            ui.navigate.to(f"/jobs/{job.id}")

    def _refused(self, error: InvalidRequest) -> None:
        """Say at each field what is wrong with it, and here what belongs to none."""
        mistakes = [(one.param, one.message) for one in error.mistakes] or [(error.param or "", error.detail)]
        fields = {
            field.path: field
            for form in (self._common, self._training, self._optimizer, self._task_form)
            if form is not None
            for field in form.fields.values()
        }
        rest = []
        for param, message in mistakes:
            if param in fields:
                told = explained(message)
                fields[param].say(told[:1].upper() + told[1:])
            else:
                rest.append(f"{param}: {message}" if param else message)
        with self._trouble, html.div().classes("banner bad"):
            for text in rest or ["A field needs another value."]:
                html.p(text)
        if len(rest) < len(mistakes):
            self._show_first_mistake()

    def _show_first_mistake(self) -> None:
        """Unfold what hides it, and put the focus there."""
        ui.run_javascript("page.toMistake()")


def _size(encoder: Encoder) -> str:
    return f"{encoder.parameters:g} M parameters" if encoder.parameters is not None else encoder.family


PAGE = Page("/new-job", "New job", build, icon="new", needs="write")
