"""A model's embeddings of a dataset: neighbours and a map; where there are none, the way to them."""

from collections.abc import Sequence
from itertools import islice

from nicegui import html, ui
from pretext_client import NotFound, PretextError
from pretext_client.types import Dataset, Embedding, EmbeddingMap, Job, Model

from dashboard import words
from dashboard.calls import ask, rebuild, session, told
from dashboard.pages.jobs import share_of
from dashboard.parts import basics, controls
from dashboard.parts.alike import Alike
from dashboard.parts.plane import Plane, can_be_coloured

_MOST = 20
_POINTS = 1000
_LOOK_SECONDS = 2.0


async def embedded(model: Model, ready: Sequence[Dataset], wanted: str) -> None:
    """Build it.

    Args:
        model: the model.
        ready: datasets that can be embedded.
        wanted: id of the embeddings to show; else the newest.
    """
    found: list[Embedding] = await ask(lambda pretext: list(islice(pretext.embeddings.list(model_id=model.id), _MOST)))
    newest: list[Job] = await ask(lambda pretext: list(pretext.jobs.list(kind="embed", model_id=model.id, limit=1)))
    with basics.card("What it finds alike").props("id=alike"):
        if newest and not newest[0].ended:
            await _under_way(newest[0])
        elif not found:
            _none(model, ready, newest[0] if newest else None)
        if found:
            chosen = next((one for one in found if one.id == wanted), found[0])
            names = await _names(found, ready)
            _choice(model, found, chosen, names)
            _looked_into(chosen)
            if session().rights.allow("write") and ready:
                with html.details().classes("fold inner"):
                    html.summary("Embed another dataset")
                    _form(model, ready)


async def _under_way(job: Job) -> None:
    with html.div().classes("under-way"):
        with html.p():
            html.span("A dataset is being embedded: ")
            html.a("see the job", href=f"/jobs/{job.id}")
        bar = basics.bar(share_of(job), "Progress of the embedding")

    async def look() -> None:
        try:
            now = await ask(lambda pretext: pretext.jobs.get(job.id))
        except PretextError:
            return  # the server is away; the next look may find it again
        basics.set_bar(bar, share_of(now))
        if now.ended:
            timer.deactivate()
            ui.run_javascript("page.say('The embeddings are done')")
            await rebuild()

    timer = ui.timer(_LOOK_SECONDS, look)


def _none(model: Model, ready: Sequence[Dataset], last: Job | None) -> None:
    text = (
        "Embed a dataset, and this place shows the nearest neighbours of any sample, and a map of all of them. "
        "It takes one look of the encoder at each image, without labels and without training."
    )
    if last is not None and last.error is not None:
        with html.div(role="alert").classes("banner bad"):
            html.p(f"The last try failed: {last.error.message}")
    with basics.empty("No embeddings yet", text, "models"):
        if session().rights.allow("write") and ready:
            _form(model, ready)
        elif not ready:
            basics.link("To the datasets", "/datasets")


def _form(model: Model, ready: Sequence[Dataset]) -> None:
    chosen = next((one.id for one in ready if one.id == model.dataset_id), ready[0].id)

    def choose(dataset_id: str) -> None:
        nonlocal chosen
        chosen = dataset_id

    async def embed() -> None:
        with told():
            await ask(lambda pretext: pretext.jobs.embed(model.id, chosen))
            await rebuild()

    with html.div().classes("inline-form"):
        if len(ready) > 1:
            controls.choice("Dataset to embed", {one.id: one.name for one in ready}, chosen, choose, look="")
        basics.button("Embed it" if len(ready) > 1 else f"Embed “{ready[0].name}”", embed)


async def _names(found: Sequence[Embedding], ready: Sequence[Dataset]) -> dict[str, str]:
    """What each is called: its dataset, and the stage if it is not the encoder's own end."""
    datasets = {one.id: one.name for one in ready}
    for dataset_id in {one.dataset_id for one in found if one.dataset_id is not None} - set(datasets):
        datasets[dataset_id] = await _dataset_name(dataset_id)
    gone = "a dataset that is gone"
    return {
        one.id: f"{datasets[one.dataset_id] if one.dataset_id else gone}{f', {one.stage}' if one.stage else ''}"
        f" · {words.ago(one.created_at)}"
        for one in found
    }


async def _dataset_name(dataset_id: str) -> str:
    try:
        dataset: Dataset = await ask(lambda pretext: pretext.datasets.get(dataset_id))
    except NotFound:
        return "a dataset that is gone"
    return dataset.name


def _choice(model: Model, found: Sequence[Embedding], chosen: Embedding, names: dict[str, str]) -> None:
    with html.div().classes("inline-form"):
        if len(found) > 1:
            address = f"/models/{model.id}?embedding="
            controls.choice("Embeddings", names, chosen.id, lambda id_: ui.navigate.to(address + id_), look="")
        else:
            html.p(names[chosen.id]).classes("quiet")
        html.span(f"{chosen.rows:,} samples of {words.count(chosen.features, 'feature')}").classes("quiet small num")


def _looked_into(chosen: Embedding) -> None:
    """Filled a moment after the page has appeared: it is a computation over all embeddings."""
    place = html.div().classes("figures")
    with place:
        waiting = html.p("Looking into the embeddings …").classes("quiet")

    async def load() -> None:
        try:
            found: EmbeddingMap = await ask(lambda pretext: pretext.embeddings.map(chosen.id, points=_POINTS))
        except PretextError as error:
            basics.set_text(waiting, f"They cannot be looked into: {error}")
            return
        waiting.delete()
        with place:
            await _figures(chosen, found)

    ui.timer(0, load, once=True)


async def _figures(chosen: Embedding, found: EmbeddingMap) -> None:
    with html.figure().classes("chart"):
        html.figcaption("Map of the samples")
        plane = Plane(found)
        html.p(_how(found)).classes("quiet small")
    with html.div().classes("chart"):
        alike = Alike(chosen, chosen.rows + chosen.left_out - 1, plane.mark)
    plane.on_choose = alike.show
    await alike.show(found.data[0].index)


def _how(found: EmbeddingMap) -> str:
    shown = f"{len(found.data):,} samples, spread evenly over all {found.rows:,}" if len(found.data) < found.rows else "All samples"
    first, second = (f"{100 * share:.0f}%" for share in found.explained)
    colours = " Colours are classes." if can_be_coloured(found.data) else ""
    return (
        f"{shown}, by the first two principal components of their features (scaled to length 1), which the server computes and "
        f"which hold {first} and {second} of all differences. What lies together here may differ in the rest; the neighbours are "
        f"found in all features.{colours} A click shows a sample's neighbours."
    )
