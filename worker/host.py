"""How the machine of a worker is doing."""

import os
import shutil
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from records.settings import Settings

_WALK_SECONDS = 30.0
"""Between two looks at how large the cache is: it may have many files."""


class HostCollector:
    """Load, memory and disks.

    Args:
        settings: where the folders are.
    """

    def __init__(self, settings: Settings) -> None:
        self._folders = {"cache": settings.cache, "scratch": settings.scratch}
        if settings.blobs.startswith("file://"):
            self._folders["blobs"] = Path(settings.blobs.removeprefix("file://"))
        self._cache = settings.cache
        self._bound = settings.cache_bytes
        self._lock = threading.Lock()
        self._cache_bytes = 0
        self._walk_at = 0.0

    def describe(self) -> Iterable[Metric]:
        """Nothing is measured to register it."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The figures."""
        yield GaugeMetricFamily("pretext_host_load1", "Processes that want a processor, over a minute.", os.getloadavg()[0])
        yield GaugeMetricFamily("pretext_host_cpus", "Processors that this worker may use.", len(os.sched_getaffinity(0)))
        memory = psutil.virtual_memory()
        yield GaugeMetricFamily("pretext_host_memory_bytes", "Memory of the host.", memory.total)
        yield GaugeMetricFamily("pretext_host_memory_available_bytes", "Memory that could be had.", memory.available)
        yield GaugeMetricFamily("pretext_worker_resident_bytes", "Memory of the worker and the jobs that it runs.", _resident())
        yield GaugeMetricFamily("pretext_cache_bytes", "Decoded images that are kept.", self._size())
        yield GaugeMetricFamily("pretext_cache_limit_bytes", "Bound of the decoded images that are kept.", self._bound)
        yield from self._disks()

    def _disks(self) -> Iterable[Metric]:
        free = GaugeMetricFamily("pretext_disk_free_bytes", "Room that is left on the disk of a folder.", labels=["folder"])
        total = GaugeMetricFamily("pretext_disk_bytes", "Size of the disk of a folder.", labels=["folder"])
        for name, folder in self._folders.items():
            try:
                usage = shutil.disk_usage(folder)
            except OSError:  # it is made when it is first needed
                continue
            free.add_metric([name], usage.free)
            total.add_metric([name], usage.total)
        yield free
        yield total

    def _size(self) -> int:
        with self._lock:
            if time.monotonic() >= self._walk_at:
                self._cache_bytes = _bytes_in(self._cache)
                self._walk_at = time.monotonic() + _WALK_SECONDS
            return self._cache_bytes


def _bytes_in(folder: Path) -> int:
    size = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(path) / name).lstat().st_size
            except OSError:  # it has made room meanwhile
                continue
    return size


def _resident() -> int:
    own = psutil.Process()
    size = 0
    for process in [own, *own.children(recursive=True)]:
        try:
            size += process.memory_info().rss
        except psutil.Error:  # it has ended meanwhile
            continue
    return size
