"""What a training drew, epoch by epoch, with a slider."""

from nicegui import html
from pretext_client.types import Job, Picture

from dashboard import words
from dashboard.calls import ask, told
from dashboard.files import picture_url
from dashboard.parts import basics


class Pictures:
    """The newest picture, and the way back to all others. It follows the training until somebody moves the slider."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._steps: dict[int, int] = {}
        self._epochs: list[int] = []
        self._chosen: int | None = None
        self._shown: int | None = None
        with basics.card("What it sees and answers") as self._card:
            self._waiting = html.p("The first picture is drawn before the first step.").classes("quiet")
            with html.figure().classes("picture") as self._figure:
                with html.a(target="_blank").props('aria-label="Open the picture in full size"') as self._link:
                    self._image = html.img(alt="")
                self._caption = html.figcaption("").classes("quiet")
            with html.div().classes("slider") as self._row:
                self._slider = html.input_(type="range").props("min=0 max=0 step=1 value=0 aria-label=Epoch")
                self._label = html.span("").classes("num small")
        self._slider.on(
            "input", lambda event: self._choose(int(event.args)), js_handler="(e) => emit(e.target.value)", throttle=0.15
        )
        self._figure.set_visibility(False)
        self._row.set_visibility(False)

    def add(self, epoch: int, step: int) -> None:
        """A picture has been drawn; again, if the job has gone on from a checkpoint before it."""
        if epoch not in self._steps:
            self._epochs.append(epoch)
            self._epochs.sort()
        self._steps[epoch] = step
        if epoch == self._shown:
            self._shown = None

    async def refresh(self) -> None:
        """Show what is to be shown now."""
        if not self._epochs:
            return
        epoch = self._epochs[-1] if self._chosen is None else self._chosen
        self._slider.props(f"max={len(self._epochs) - 1}")
        self._row.set_visibility(len(self._epochs) > 1)
        if epoch != self._shown:
            await self._show(epoch)

    async def _choose(self, place: int) -> None:
        place = min(place, len(self._epochs) - 1)
        self._chosen = None if place == len(self._epochs) - 1 else self._epochs[place]
        with told():
            await self._show(self._epochs[place])

    async def _show(self, epoch: int) -> None:
        self._shown = epoch
        job_id = self._job.id
        found: list[Picture] = await ask(lambda pretext: list(pretext.jobs.pictures(job_id, after=epoch - 1, limit=1)))
        if not found or self._shown != epoch:
            return
        picture = found[0]
        path = picture_url(job_id, epoch, picture.sha256)
        self._image.props["src"] = path
        self._image.props["alt"] = (
            f"Picture after epoch {epoch}: {picture.caption}" if epoch else f"Before the training: {picture.caption}"
        )
        self._image.props.update({"width": str(picture.width or ""), "height": str(picture.height or "")})
        self._image.update()
        self._link.props["href"] = path
        self._link.update()
        basics.set_text(self._caption, picture.caption)
        place = self._epochs.index(epoch)
        named = f"epoch {epoch}, step {self._steps[epoch]:,}" if epoch else "before the training"
        basics.set_text(self._label, words.named(named))
        self._slider.props["value"] = str(place)
        self._slider.props["aria-valuetext"] = named
        self._slider.update()
        self._waiting.set_visibility(False)
        self._figure.set_visibility(True)
