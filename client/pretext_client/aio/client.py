"""The same as `client.py` for `await`. Made by client/make_async: change that file, and run it."""

from collections.abc import AsyncIterator
from datetime import datetime
from types import TracebackType
from typing import Self

from pretext_client import places
from pretext_client.aio import admin, catalogue
from pretext_client.aio.aliases import AsyncAliases
from pretext_client.aio.datasets import AsyncDatasets
from pretext_client.aio.embeddings import AsyncEmbeddings
from pretext_client.aio.evaluations import AsyncEvaluations
from pretext_client.aio.jobs import AsyncJobs
from pretext_client.aio.models import AsyncModels
from pretext_client.aio.uploads import AsyncUploads
from pretext_client.aio.webhooks import AsyncWebhooks
from pretext_client.async_http import AsyncHttp
from pretext_client.retry import Retry
from pretext_client.types import AuditEntry, Encoder, Json, Task, Worker


class AsyncPretext:
    """A Pretext Server.

    >>> async with AsyncPretext() as pretext:
    ...     dataset = await (await pretext.datasets.upload("pictures/")).wait()
    ...     job = await (await dataset.train("rotation", "resnet18", epochs=100)).wait(check=True)
    ...     await (await job.model()).download("my-encoder/")

    Args:
        url: default: `PRETEXT_URL`, else that of the server on this machine.
        api_key: default: `PRETEXT_API_KEY`, else what `pretext login` has stored, else, for a server on this machine, the one that
            it keeps in its data folder.
        timeout: seconds that the server may be silent before a request fails.
        retry: how often and how fast requests are sent again that the server could not answer.
        profile: name of a server that `pretext login` has stored. Default: `PRETEXT_PROFILE`, else `default`.

    Raises:
        PretextError: the URL is none.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 60,
        retry: Retry | None = None,
        profile: str | None = None,
    ) -> None:
        self._http = AsyncHttp(places.find(url, api_key, profile=profile), timeout, retry or Retry())
        self._http.owner = self
        self.jobs = AsyncJobs(self._http)
        self.datasets = AsyncDatasets(self._http, self.jobs)
        self.models = AsyncModels(self._http)
        self.aliases = AsyncAliases(self._http)
        self.evaluations = AsyncEvaluations(self._http)
        self.embeddings = AsyncEmbeddings(self._http)
        self.projects = admin.AsyncProjects(self._http)
        self.members = admin.AsyncMembers(self._http)
        self.keys = admin.AsyncKeys(self._http)
        self.webhooks = AsyncWebhooks(self._http)
        self.uploads = AsyncUploads(self._http)

    @property
    def url(self) -> str:
        """The server's address."""
        return self._http.place.url

    @property
    def has_key(self) -> bool:
        """Whether a key was found to send."""
        return self._http.place.key is not None

    def tasks(self) -> AsyncIterator[Task]:
        """The pretext tasks that the server knows, with their settings."""
        return catalogue.tasks(self._http)

    def encoders(self) -> AsyncIterator[Encoder]:
        """The networks that the server can train."""
        return catalogue.encoders(self._http)

    async def job_schema(self) -> Json:
        """JSON Schema of a pretraining as `jobs.create` takes it, with every `$ref` filled in."""
        return await catalogue.job_schema(self._http)

    def workers(self) -> AsyncIterator[Worker]:
        """The workers, the newest first. For the server's administrators."""
        return admin.workers(self._http)

    def audit(
        self,
        *,
        action: str | None = None,
        key_id: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[AuditEntry]:
        """Who did what, the newest first. For administrators.

        Args:
            action: only one operation, by its name in the OpenAPI document, such as `create_job`.
            key_id: only by this key.
            outcome: only what was `done`, or `denied`.
            since: only after this moment, with a time zone.
            until: only before this moment, with a time zone.
            after: id of an entry; the list goes on behind it.
            limit: how many at most.
        """
        asked = {"action": action, "key_id": key_id, "outcome": outcome, "after": after}
        return admin.audit(self._http, **asked, since=since, until=until, limit=limit)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
