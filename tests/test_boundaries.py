import subprocess
import sys

import pytest


class TestImports:
    @pytest.mark.parametrize(
        "module",
        ["api.app", "worker.app", "worker.engine", "ssl_core.images", "ssl_core.ingest", "pretext_client", "dashboard.app"],
    )
    def test_torch_stays_out(self, module: str):
        code = f"import {module}, sys; sys.exit('torch' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    @pytest.mark.parametrize("module", ["api.app", "launcher.main", "pretext_client"])
    def test_the_page_s_packages_stay_out(self, module: str):
        code = f"import {module}, sys; sys.exit('nicegui' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
