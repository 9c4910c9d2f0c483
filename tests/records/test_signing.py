import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook

from records.settings import Settings
from records.signing import NoKeyError, SigningKey, signing_key


class TestKey:
    def test_is_made_when_it_is_first_needed_and_stays(self, tmp_path: Path):
        settings = Settings(data_dir=tmp_path)
        with pytest.raises(NoKeyError):
            signing_key(settings)
        made = signing_key(settings, make=True)
        assert signing_key(settings, make=True).print == signing_key(settings).print == made.print
        (file,) = tmp_path.iterdir()
        assert (file.name, file.stat().st_mode & 0o777) == ("webhook-key", 0o600)

    def test_is_one_for_all_who_make_it_at_once(self, tmp_path: Path):
        found: list[str] = []
        threads = [
            threading.Thread(target=lambda: found.append(signing_key(Settings(data_dir=tmp_path), make=True).print))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(found), len(set(found))) == (8, 1)

    def test_is_not_made_where_several_machines_would_each_make_one(self, tmp_path: Path):
        settings = Settings(data_dir=tmp_path, database_url="postgresql+psycopg://db/pretext")
        with pytest.raises(NoKeyError, match="PRETEXT_WEBHOOK_KEY"):
            signing_key(settings, make=True)
        set_ = settings.model_copy(update={"webhook_key": SecretStr("k" * 32)})
        assert signing_key(set_).print == SigningKey(b"k" * 32).print

    def test_that_is_empty_is_none(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("PRETEXT_WEBHOOK_KEY", "")
        assert Settings().webhook_key is None

    def test_that_could_be_guessed_is_refused(self):
        with pytest.raises(ValidationError, match="32"):
            Settings(webhook_key=SecretStr("short"))


class TestSignatures:
    def test_differ_by_webhook_number_and_key(self):
        key = SigningKey(b"a" * 32)
        secrets = {key.shown("hook_1", 1), key.shown("hook_1", 2), key.shown("hook_2", 1), SigningKey(b"b" * 32).shown("hook_1", 1)}
        assert len(secrets) == 4

    def test_are_those_of_the_specification(self):
        key, body = SigningKey(b"a" * 32), '{"type": "job.succeeded", "ä": "€"}'.encode()
        told = Webhook(key.shown("hook_1", 3))
        moment = datetime.now(UTC)
        both = key.signatures("hook_1", [3, 2], "evt_1", int(moment.timestamp()), body)
        assert both.split(" ")[0] == told.sign("evt_1", moment, body.decode())
        headers = {"webhook-id": "evt_1", "webhook-timestamp": str(int(moment.timestamp())), "webhook-signature": both}
        assert Webhook(key.shown("hook_1", 2)).verify(body, headers)["type"] == "job.succeeded"
