"""What a page says of itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A page of the dashboard."""

    path: str
    """Its address, such as `/jobs/{job_id}`."""
    title: str
    """Its name in the navigation and in the window's title."""
    build: Callable[..., Awaitable[None]]
    """Builds it. Parameters are the `{…}` of the path and of the query, all of them texts. A `PretextError` that it lets through
    is told in the page's place."""
    icon: str = ""
    """Its icon in the navigation; without one, it is not listed there."""
    needs: str = "read"
    """Whom it is shown to: who has a key for `read`, `write`, `admin`, or is an `operator` of the server."""
    apart: bool = False
    """Whether a line parts it from those before."""
    within: tuple[str, ...] = ()
    """Beginnings of addresses for which the navigation marks it, too, such as `/jobs/`."""

    def marked_at(self, path: str) -> bool:
        """Whether the navigation marks it while the address is this one."""
        return (
            path == self.path
            or path in self.within
            or any(path.startswith(one) for one in self.within if one.endswith("/") and one != "/")
        )
