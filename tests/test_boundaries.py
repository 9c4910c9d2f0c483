import subprocess
import sys

import pytest


class TestImports:
    @pytest.mark.parametrize(
        "module", ["api.app", "worker.app", "worker.engine", "ssl_core.images", "ssl_core.ingest", "pretext_client"]
    )
    def test_torch_stays_out(self, module: str):
        code = f"import {module}, sys; sys.exit('torch' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
