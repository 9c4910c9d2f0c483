"""What the page has to be told by whoever starts it."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class OneTimeLink:
    """A link that signs in with the server's own key, once.

    The code lies in a file that only the server's user can read, and whoever takes it away has used it: a server process that
    is started again accepts no code twice.
    """

    file: Path
    """Where the code lies until it is used."""
    key_file: Path
    """Where the key lies that it signs in with."""

    @classmethod
    def within(cls, data_dir: Path) -> Self:
        """The link of a server that keeps its things in a folder."""
        return cls(data_dir / "sign-in-code", data_dir / "api-key")

    def make(self) -> str:
        """Make a code, in place of the one before, and give the path that it opens."""
        code = secrets.token_urlsafe(32)
        self.file.unlink(missing_ok=True)
        self.file.touch(mode=0o600)
        self.file.write_text(code, encoding="utf-8")
        return f"/sign-in/once?code={code}"

    def take(self, code: str) -> str | None:
        """The key, if the code is right. It is used up then; a wrong one leaves it as it is."""
        try:
            right = self.file.read_text(encoding="utf-8")
            if not right or not secrets.compare_digest(right.encode(), code.encode()):
                return None
            self.file.unlink()
            return self.key_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None


@dataclass(frozen=True)
class Config:
    """Where the page finds the API, and whom it answers to."""

    url: str
    """The API, as the page's own process reaches it."""
    hosts: tuple[str, ...]
    """Host names that requests may be addressed to; `*` for any."""
    link: OneTimeLink | None = None
    """A link that signs in once, for a server on this machine."""
    sessions_file: Path | None = None
    """Where sessions outlive a restart; none: they do not. What is in it is of no use without the browser's cookie."""
