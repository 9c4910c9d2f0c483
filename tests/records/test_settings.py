from pathlib import Path

import pytest
from pydantic import ValidationError

from records.settings import Settings


class TestSettings:
    def test_everything_lies_in_the_data_folder_by_default(self, tmp_path: Path):
        settings = Settings(data_dir=tmp_path)
        assert settings.database == f"sqlite:///{tmp_path}/pretext.db"
        assert settings.blobs == f"file://{tmp_path}/blobs"
        assert settings.cache == tmp_path / "cache"
        assert settings.scratch == tmp_path / "scratch"

    def test_variables_are_read(self, monkeypatch):
        monkeypatch.setenv("PRETEXT_DATABASE_URL", "postgresql+psycopg://db/pretext")
        monkeypatch.setenv("PRETEXT_ALLOWED_HOSTS", "a.example, b.example")
        settings = Settings()
        assert settings.database == "postgresql+psycopg://db/pretext"
        assert settings.hosts == ["a.example", "b.example"]

    def test_networks_are_read(self):
        assert [str(one) for one in Settings(webhook_private_networks="10.1.0.0/16, fd12::/48").private_networks] == [
            "10.1.0.0/16",
            "fd12::/48",
        ]
        with pytest.raises(ValidationError, match="host bits"):
            Settings(webhook_private_networks="10.1.2.3/16")

    def test_a_socket_path_never_exceeds_what_the_kernel_takes(self, tmp_path: Path):
        deep = tmp_path / ("x" * 60) / ("y" * 60)
        assert len(str(Settings(data_dir=deep).valkey_socket)) < 107
        assert Settings(data_dir=deep).valkey_socket != Settings(data_dir=deep / "z").valkey_socket
