"""NVIDIA GPUs, as their driver sees them. Needs `nvidia-ml-py` (the extra `gpu`) and a driver; else there are no figures."""

import importlib
import logging
from collections.abc import Iterable
from types import ModuleType
from typing import Self

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

logger = logging.getLogger(__name__)

_MODULE = "pynvml"


class GpuCollector:
    """Utilisation, memory and temperature of each GPU.

    Args:
        nvml: the package, initialised.
    """

    def __init__(self, nvml: ModuleType) -> None:
        self._nvml = nvml

    @classmethod
    def find(cls) -> Self | None:
        """One for the GPUs of this host; None if there is no telling."""
        try:
            nvml = importlib.import_module(_MODULE)
        except ImportError:
            return None
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            logger.debug("no figures of GPUs: %s", error)
            return None
        return cls(nvml)

    def describe(self) -> Iterable[Metric]:
        """Nothing is measured to register it."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The figures, of the GPUs that give some: parts of a GPU, for one, do not say how busy they are."""
        nvml = self._nvml
        busy = GaugeMetricFamily("pretext_gpu_utilization_ratio", "Share of the last second that the GPU worked.", labels=["gpu"])
        used = GaugeMetricFamily("pretext_gpu_memory_used_bytes", "Memory of the GPU that is taken.", labels=["gpu"])
        total = GaugeMetricFamily("pretext_gpu_memory_bytes", "Memory of the GPU.", labels=["gpu"])
        warm = GaugeMetricFamily("pretext_gpu_temperature_celsius", "Temperature of the GPU.", labels=["gpu"])
        for number in range(self._count()):
            gpu = [str(number)]
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(number)
                memory = nvml.nvmlDeviceGetMemoryInfo(handle)
                used.add_metric(gpu, memory.used)
                total.add_metric(gpu, memory.total)
                warm.add_metric(gpu, nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU))
                busy.add_metric(gpu, nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
            except nvml.NVMLError as error:
                logger.debug("GPU %d does not tell all: %s", number, error)
        yield from (busy, used, total, warm)

    def _count(self) -> int:
        try:
            return int(self._nvml.nvmlDeviceGetCount())
        except self._nvml.NVMLError:
            return 0
