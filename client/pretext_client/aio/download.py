"""The same as `download.py` for `await`. Made by client/make_async: change that file, and run it."""

import os
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from urllib.parse import quote

from pretext_client.async_http import AsyncHttp
from pretext_client.download import _CARD, _CHUNK, _SUMS, _is_as_summed, _sha256
from pretext_client.errors import ConnectionFailed, TransferFailed, Unavailable
from pretext_client.http import Call
from pretext_client.types import ModelFile
from pretext_client.upload import OnBytes


async def download_all(
    http: AsyncHttp,
    path: str,
    files: Sequence[ModelFile],
    directory: str | os.PathLike[str],
    *,
    force: bool,
    on_progress: OnBytes | None,
) -> tuple[Path, ...]:
    """Download files that are at `path`/files/…, one after the other; as of `Models.download`."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(file.bytes for file in files)
    downloads = [AsyncDownload(http, f"{path}/files/{quote(file.name, safe='')}", file, folder) for file in files]
    if not force and (others := [one.target for one in downloads if await one.is_other()]):
        raise TransferFailed(
            f"{', '.join(map(str, others))} is there and is another file; choose another folder, or force it (--force)"
        )
    before = 0
    for one in downloads:
        await one.run(lambda here, before=before: on_progress(before + here, total) if on_progress else None)  # type: ignore[misc]
        before += one.file.bytes
    return tuple(one.target for one in downloads)


class AsyncDownload:
    """A file on its way.

    Args:
        http: the server.
        path: of the file at the server.
        file: what it has to be.
        folder: where it goes.

    Raises:
        TransferFailed: its name leads out of the folder.
    """

    def __init__(self, http: AsyncHttp, path: str, file: ModelFile, folder: Path) -> None:
        if not file.name or Path(file.name).name != file.name or file.name.startswith(".") or "\\" in file.name:
            raise TransferFailed(f"the server calls a file {file.name!r}, which is no plain file name; nothing was downloaded")
        self.file = file
        self.target = folder / file.name
        # The digest in the name keeps the rest of one file from being put behind the beginning of another.
        self._part = folder / f".{file.name}.{file.sha256[:16]}.part"
        self._http = http
        self._path = path

    async def is_other(self) -> bool:
        """Whether another file has its name, which is not to be lost."""
        return self.target.exists() and not await self._is_whole() and not self._is_older()

    def _is_older(self) -> bool:
        """Whether it is a text of the server's that has changed there since it was downloaded, and has not been changed here."""
        sums = self.target.with_name(_SUMS)
        if self.file.name not in {_CARD, _SUMS} or not sums.is_file() or not self.target.is_file():
            return False
        card = sums.with_name(_CARD)
        return _is_as_summed(card, sums)

    async def run(self, on_bytes: Callable[[int], None]) -> None:
        """Bring the file here. `on_bytes` is told how many of its bytes are here.

        Raises:
            TransferFailed: what came is not what was announced.
            ConnectionFailed: the server cannot be reached, also not on another try.
        """
        if not await self._is_whole():
            resumed = self._here() > 0
            await self._fetch_patiently(on_bytes)
            if resumed and not await self._is_right():
                # What lay here from an earlier time was perhaps damaged on this side.
                self._part.unlink()
                await self._fetch_patiently(on_bytes)
            await self._check()
            self._part.replace(self.target)
        on_bytes(self.file.bytes)

    async def _is_whole(self) -> bool:
        if not self.target.is_file() or self.target.stat().st_size != self.file.bytes:
            return False
        return await self._http.work(_sha256, self.target) == self.file.sha256

    async def _fetch_patiently(self, on_bytes: Callable[[int], None]) -> None:
        """Fetch, and fetch on where the connection breaks. Bytes that came in between restore the patience."""
        tries = 0
        for _ in count():
            before = self._here()
            try:
                await self._fetch(on_bytes)
            except (ConnectionFailed, Unavailable):
                tries = 0 if self._here() > before else tries + 1
                pause = self._http.retry.pause(tries)
                if pause is None:
                    raise
                await self._http.sleep(pause)
            else:
                return

    async def _fetch(self, on_bytes: Callable[[int], None]) -> None:
        here = self._here()
        if here >= self.file.bytes:
            return
        headers = {"Accept-Encoding": "identity"}
        if here:
            headers |= {"Range": f"bytes={here}-", "If-Range": f'"{self.file.sha256}"'}
        async with self._http.stream(Call("GET", self._path, headers=headers)) as response:
            # 200: the server sends the whole file anew, because it knows no ranges or the file is another one.
            mode = "ab" if response.status_code == 206 else "wb"
            with self._part.open(mode) as part:
                async for chunk in response.aiter_bytes(_CHUNK):
                    part.write(chunk)
                    on_bytes(min(part.tell(), self.file.bytes))

    async def _is_right(self) -> bool:
        return self._here() == self.file.bytes and await self._http.work(_sha256, self._part) == self.file.sha256

    async def _check(self) -> None:
        if not await self._is_right():
            found = self._here()
            self._part.unlink(missing_ok=True)
            raise TransferFailed(
                f"{self.file.name} came damaged: {found:,} of {self.file.bytes:,} bytes, or another SHA-256 than announced. "
                "What came was thrown away; try again."
            )

    def _here(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0
