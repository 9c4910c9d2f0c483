"""One model: its files, how to load it, what evaluations found, and what can be done with it."""

import re
from itertools import islice

from nicegui import html, ui
from pretext_client import Pretext
from pretext_client.types import Dataset, Evaluation, Model

from dashboard import words
from dashboard.calls import ask, session, told
from dashboard.files import model_file_url
from dashboard.pages.base import Page
from dashboard.pages.models import task_of
from dashboard.parts import basics, controls
from dashboard.parts.embedded import embedded
from dashboard.parts.label_report import show_report
from dashboard.parts.schema_form import explained

_CARD = "README.md"
_PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
_BY_CLIENT = """from pretext_client import Pretext

network = Pretext().models.load("{id}")
features = network(network.preprocess("cat.jpg").unsqueeze(0))"""
_MOST_CHUNKS = 4
_MOST_EVALUATIONS = 20
_MOST_DATASETS = 100


async def build(model_id: str, evaluation: str = "", embedding: str = "") -> None:
    """Everything about it, with one of its evaluations and embeddings whole: the newest, or those that are in the address."""
    model = await ask(lambda pretext: pretext.models.get(model_id))
    lead = f"{task_of(model)} · {model.encoder.get('name', '')} · made {words.ago(model.created_at)}"
    with basics.heading(model.name, lead, back=("Models", "/models")):
        if session().rights.allow("write"):
            basics.button("Export", lambda: _export(model))
            basics.button("Delete", lambda: _delete(model), look="danger", icon_name="trash")
    ready: list[Dataset] = await ask(lambda pretext: list(pretext.datasets.list(state="ready", limit=_MOST_DATASETS)))
    await _evaluations(model, ready, evaluation)
    await embedded(model, ready, embedding)
    with basics.card("Use it"):
        await _use(model)
    _files(model)
    _facts(model)


async def _evaluations(model: Model, ready: list[Dataset], wanted: str) -> None:
    found: list[Evaluation] = await ask(
        lambda pretext: list(islice(pretext.evaluations.list(model_id=model.id), _MOST_EVALUATIONS))
    )
    chosen = next((one for one in found if one.id == wanted), found[0] if found else None)
    lead = "" if found else "There is none yet. An evaluation says how many labels the model saves, in a sentence."
    with basics.card("Label report", lead):
        if chosen is not None:
            show_report(await ask(lambda pretext: pretext.evaluations.get(chosen.id)))
            _which(model, found, chosen)
        if session().rights.allow("write"):
            _evaluation_form(model, ready)


def _which(model: Model, found: list[Evaluation], chosen: Evaluation) -> None:
    """The one that is shown, and the way to the others."""
    with html.p().classes("quiet small"):
        html.span(f"{chosen.id} · {words.ago(chosen.created_at)}")
        if chosen.dataset_id:
            html.span(" · ")
            html.a("its dataset", href=f"/datasets/{chosen.dataset_id}")
        html.span(" · ")
        html.a("how it was made", href=f"/jobs/{chosen.job_id}")
    others = [one for one in found if one.id != chosen.id]
    if others:
        with html.details().classes("fold inner"):
            html.summary(words.count(len(others), "other evaluation"))
            for one in others:
                with html.p():
                    html.a(words.ago(one.created_at), href=f"/models/{model.id}?evaluation={one.id}")
                    html.span(f": {explained(one.sentence)}")


def _evaluation_form(model: Model, ready: list[Dataset]) -> None:
    """Starts an evaluation on one of the newest datasets that have labels."""
    labelled = [one for one in ready if one.labels]
    if not labelled:
        html.p("An evaluation needs a dataset with labels: give one labels on its page.").classes("quiet small")
        return
    chosen = next((one.id for one in labelled if one.id == model.dataset_id), labelled[0].id)

    def choose(dataset_id: str) -> None:
        nonlocal chosen
        chosen = dataset_id

    async def evaluate() -> None:
        with told():
            job = await ask(lambda pretext: pretext.jobs.evaluate(model.id, chosen))
            ui.navigate.to(f"/jobs/{job.id}")

    with html.div().classes("inline-form"):
        controls.choice("Dataset to evaluate on", {one.id: one.name for one in labelled}, chosen, choose, look="")
        basics.button("Evaluate", evaluate)


def _files(model: Model) -> None:
    with basics.card("Files"), html.div().classes("scroll"), html.table().classes("listing small-listing"):
        html.caption("Files of the model").classes("unseen")
        with html.thead(), html.tr():
            for heading in ("File", "Size", "SHA-256"):
                html.th(heading, scope="col")
        with html.tbody():
            for file in model.files:
                with html.tr():
                    with html.td():
                        html.a(file.name, href=model_file_url(model.id, file.name)).props["download"] = file.name
                    html.td(words.size(file.bytes)).classes("tight num")
                    html.td(file.sha256).classes("mono small")


async def _use(model: Model) -> None:
    """Lines that load it: by the client, and, from its own card, with public packages alone."""
    basics.code(f"pretext download {model.id} encoder/", "the command that downloads the encoder")
    if any(file.name == "config.json" for file in model.files):
        html.p("In Python, by the client: a torch module with its preprocessing.").classes("quiet")
        basics.code(_BY_CLIENT.format(id=model.id), "the code that loads it by the client")
    if any(file.name == _CARD for file in model.files):
        card = (await ask(lambda pretext: _read(pretext, model.id, _CARD))).decode("utf-8", "replace")
        if found := _PYTHON.search(card):
            with html.details().classes("fold inner"):
                html.summary("Without the client, beside the downloaded files")
                basics.code(found[1].strip(), "the code that loads it without the client")


def _read(pretext: Pretext, model_id: str, name: str) -> bytes:
    with pretext.models.open(model_id, name) as chunks:
        return b"".join(islice(chunks, _MOST_CHUNKS))


def _facts(model: Model) -> None:
    pairs = [
        ("Features", f"{model.features:,}" if model.features else ""),
        ("Image size", f"{model.image_size} px" if model.image_size else ""),
        ("Ends at", model.ends_at or ""),
        ("Id", model.id),
    ]
    with basics.card("Facts"):
        basics.facts([(name, value) for name, value in pairs if value])
        with html.div().classes("actions"):
            if model.job_id:
                basics.link("Its training", f"/jobs/{model.job_id}", look="button ghost")
            if model.dataset_id:
                basics.link("Its dataset", f"/datasets/{model.dataset_id}", look="button ghost")


async def _export(model: Model) -> None:
    with told():
        job = await ask(lambda pretext: pretext.models.export(model.id))
        ui.navigate.to(f"/jobs/{job.id}")


async def _delete(model: Model) -> None:
    text = f"“{model.name}” and its files will be gone for good."
    if not await basics.confirmed("Delete this model?", text, "Delete"):
        return
    with told():
        await ask(lambda pretext: pretext.models.delete(model.id))
        ui.navigate.to("/models")


PAGE = Page("/models/{model_id}", "Model", build)
