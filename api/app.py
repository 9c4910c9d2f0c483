"""The application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI

from api import docs, document, errors
from api.audit import endpoints as audit_api
from api.catalogue import endpoints as catalogue
from api.datasets import endpoints as datasets
from api.datasets import previews
from api.embeddings import endpoints as embeddings
from api.evaluations import endpoints as evaluations
from api.health import endpoints as health
from api.jobs import again, pictures
from api.jobs import endpoints as jobs
from api.jobs.stream import Feeds
from api.keys import endpoints as keys_api
from api.labels import endpoints as labels
from api.limits import Limiter
from api.members import endpoints as members
from api.metrics import endpoints as metrics
from api.metrics.figures import Figures
from api.metrics.observed import Observed
from api.metrics.queue import QueueCollector
from api.models import aliases, embedding
from api.models import endpoints as models
from api.narrowing import refuse_unknown
from api.projects import endpoints as projects
from api.security import Gate, require_key
from api.services import Services
from api.uploads import endpoints as uploads
from api.uploads.wire import Wire
from api.webhooks import endpoints as webhooks
from api.workers import endpoints as workers_api
from records import tracing
from records.blobs import open_blobs
from records.database import Database
from records.log import set_up_logging
from records.queries import keys
from records.questions import Questions
from records.queue import celery_app, waker
from records.settings import Settings

_DESCRIPTION = """Upload unlabelled images, choose a pretext task, download a trained encoder.

1. `POST /v1/datasets` with an archive of images; its ingest job checks them.
2. `POST /v1/jobs` with the dataset and a task; watch it by `GET /v1/jobs/{id}` or `…/events`.
3. `GET /v1/models/{id}/files/encoder.safetensors`: the weights, under torchvision's own names.
4. `POST /v1/jobs` with `"kind": "evaluate"`, a model and a labelled dataset; `GET /v1/evaluations/{id}`: labels saved.
5. `POST /v1/jobs` with `"kind": "embed"`, a model and a dataset: `GET /v1/embeddings/{id}`. A few images at once:
   `POST /v1/models/{id}/embed`.

Press **Authorize** and paste the key first.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the application. Settings come from `PRETEXT_…` variables if none are given."""
    settings = settings or Settings()
    database = Database(settings.database, guarded=True)
    services = Services(
        settings=settings,
        database=database,
        blobs=open_blobs(settings.blobs),
        wake=waker(celery_app(settings.broker)),
        limiter=Limiter(settings.broker, settings.requests_per_minute),
        questions=Questions(settings.broker),
        feeds=Feeds(database.whole),
    )

    figures = Figures(database, services.feeds, QueueCollector(database.whole))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.readiness = health.Readiness(services)
        app.state.waiting_to_embed = embedding.Waiting("to be embedded")
        app.state.waiting_for_previews = embedding.Waiting("for previews")
        yield
        figures.close()
        services.feeds.close()
        services.questions.close()
        services.database.engine.dispose()
        tracing.close()

    app = FastAPI(
        title="Pretext Server",
        version=version("pretext-server"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.services = services
    app.state.figures = figures
    app.add_middleware(Wire)
    app.add_middleware(Gate, hosts=settings.hosts, body_seconds=settings.body_seconds)
    app.add_middleware(Observed, figures=figures)
    errors.install(app)
    app.include_router(health.router)
    app.include_router(metrics.router)
    docs.install(app)
    document.install(app)
    for router in (
        uploads.router,
        datasets.router,
        previews.router,
        labels.router,
        catalogue.router,
        jobs.router,
        pictures.router,
        aliases.router,
        again.router,
        models.router,
        embedding.router,
        evaluations.router,
        embeddings.router,
        projects.router,
        members.router,
        keys_api.own,
        keys_api.router,
        audit_api.router,
        webhooks.router,
        workers_api.router,
    ):
        app.include_router(
            router, dependencies=[Depends(require_key), Depends(refuse_unknown)], responses=errors.responses(401, 403, 422, 429)
        )
    return app


def served(settings: Settings | None = None) -> FastAPI:
    """The application as a server process runs it: logging set up, and the key from the settings accepted."""
    settings = settings or Settings()
    set_up_logging(settings)
    tracing.set_up("pretext-api")
    app = create_app(settings)
    if settings.api_key is not None:
        services: Services = app.state.services
        with services.database.whole.write() as session:
            keys.register(session, settings.api_key.get_secret_value(), "from PRETEXT_API_KEY")
    return app
