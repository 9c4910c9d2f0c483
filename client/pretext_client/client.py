"""The client: one object with everything that a server offers."""

from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Self

from pretext_client import admin, catalogue, places
from pretext_client.aliases import Aliases
from pretext_client.datasets import Datasets
from pretext_client.embeddings import Embeddings
from pretext_client.evaluations import Evaluations
from pretext_client.http import Http
from pretext_client.jobs import Jobs
from pretext_client.models import Models
from pretext_client.retry import Retry
from pretext_client.types import AuditEntry, Encoder, Json, Task, Worker
from pretext_client.uploads import Uploads
from pretext_client.webhooks import Webhooks


class Pretext:
    """A Pretext Server.

    >>> with Pretext() as pretext:
    ...     dataset = pretext.datasets.upload("pictures/").wait()
    ...     job = dataset.train("rotation", "resnet18", epochs=100).wait(check=True)
    ...     job.model().download("my-encoder/")

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
        self._http = Http(places.find(url, api_key, profile=profile), timeout, retry or Retry())
        self._http.owner = self
        self.jobs = Jobs(self._http)
        self.datasets = Datasets(self._http, self.jobs)
        self.models = Models(self._http)
        self.aliases = Aliases(self._http)
        self.evaluations = Evaluations(self._http)
        self.embeddings = Embeddings(self._http)
        self.projects = admin.Projects(self._http)
        self.members = admin.Members(self._http)
        self.keys = admin.Keys(self._http)
        self.webhooks = Webhooks(self._http)
        self.uploads = Uploads(self._http)

    @property
    def url(self) -> str:
        """The server's address."""
        return self._http.place.url

    @property
    def has_key(self) -> bool:
        """Whether a key was found to send."""
        return self._http.place.key is not None

    def tasks(self) -> Iterator[Task]:
        """The pretext tasks that the server knows, with their settings."""
        return catalogue.tasks(self._http)

    def encoders(self) -> Iterator[Encoder]:
        """The networks that the server can train."""
        return catalogue.encoders(self._http)

    def job_schema(self) -> Json:
        """JSON Schema of a pretraining as `jobs.create` takes it, with every `$ref` filled in."""
        return catalogue.job_schema(self._http)

    def workers(self) -> Iterator[Worker]:
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
    ) -> Iterator[AuditEntry]:
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

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
