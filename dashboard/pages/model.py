"""One model: its files, how to load it, what evaluations found, and what can be done with it."""

from itertools import islice

from nicegui import html, ui
from pretext_client.types import Dataset, Evaluation, Model

from dashboard import words
from dashboard.calls import ask, session, told
from dashboard.files import model_file_url
from dashboard.pages.base import Page
from dashboard.pages.models import task_of
from dashboard.parts import basics

_MOST_EVALUATIONS = 20
_MOST_DATASETS = 100


async def build(model_id: str) -> None:
    """Everything about it."""
    model = await ask(lambda pretext: pretext.models.get(model_id))
    lead = f"{task_of(model)} · {model.encoder.get('name', '')} · made {words.ago(model.created_at)}"
    with basics.heading(model.name, lead, back=("Models", "/models")):
        if session().rights.allow("write"):
            basics.button("Export", lambda: _export(model))
            basics.button("Delete", lambda: _delete(model), look="danger", icon_name="trash")
    await _evaluations(model)
    _files(model)
    with html.div().classes("columns"):
        with basics.card("Use it"):
            basics.code(f"pretext download {model.id} encoder/", "the command that downloads the encoder")
            basics.code(_loading(model), "the code that reads the weights")
        _facts(model)


async def _evaluations(model: Model) -> None:
    found: list[Evaluation] = await ask(
        lambda pretext: list(islice(pretext.evaluations.list(model_id=model.id), _MOST_EVALUATIONS))
    )
    with basics.card("Evaluations", "" if found else "There are none yet: they say how many labels the model saves."):
        for one in found:
            with html.div():
                html.p(one.sentence)
                html.p(f"{one.id} · {words.ago(one.created_at)}").classes("quiet small")
        if session().rights.allow("write"):
            await _evaluation_form(model)


async def _evaluation_form(model: Model) -> None:
    """Starts an evaluation on one of the newest datasets that have labels."""
    ready: list[Dataset] = await ask(lambda pretext: list(pretext.datasets.list(state="ready", limit=_MOST_DATASETS)))
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

    with html.div().classes("actions"):
        select = html.select().classes("field")
        select.props["aria-label"] = "Dataset to evaluate on"
        with select:
            for one in labelled:
                html.option(one.name, value=one.id).props("selected" if one.id == chosen else "")
        select.on("change", lambda event: choose(str(event.args)), js_handler="(e) => emit(e.target.value)")
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


def _loading(model: Model) -> str:
    """Lines that need nothing but safetensors; the model's own README has the network around them."""
    weights = next((file.name for file in model.files if file.name.endswith(".safetensors")), "encoder.safetensors")
    return f'from safetensors.torch import load_file\n\nweights = load_file("encoder/{weights}")'


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
