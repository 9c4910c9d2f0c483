import pytest
from pretext_client.settings import SettingError, named, parse, single


class TestParse:
    def test_reads_values_as_json_or_else_as_text(self):
        assert parse(["steps=300", "optimizer.learning_rate=0.05", "task.rotations=one", "task.flip=false", "device=cpu"]) == {
            "steps": 300,
            "optimizer": {"learning_rate": 0.05},
            "task": {"rotations": "one", "flip": False},
            "device": "cpu",
        }

    def test_keeps_further_equals_signs(self):
        assert parse(["metadata.note=a=b"]) == {"metadata": {"note": "a=b"}}

    @pytest.mark.parametrize("text", ["steps", "=3", "a..b=1", ".a=1", "dataset_id=ds_2", "kind=ingest", "idempotency_key=1"])
    def test_refuses_what_is_no_setting(self, text):
        with pytest.raises(SettingError):
            parse([text])

    @pytest.mark.parametrize("texts", [["a=1", "a=2"], ["a=1", "a.b=2"], ["a.b=1", "a=2"]])
    def test_refuses_contradictions(self, texts):
        with pytest.raises(SettingError):
            parse(texts)


class TestNamed:
    def test_puts_name_and_settings_together(self):
        settings = {"task": {"rotations": "one"}, "steps": 1}
        assert named(settings, "task", "rotation") == {"name": "rotation", "rotations": "one"}
        assert settings == {"steps": 1}

    @pytest.mark.parametrize("settings", [{"encoder": "tiny"}, {"encoder": {"name": "tiny"}}])
    def test_takes_the_name_from_the_settings(self, settings):
        assert named(settings, "encoder", None) == {"name": "tiny"}

    @pytest.mark.parametrize("settings", [{"task": 3}, {"task": "jigsaw"}, {"task": {"name": "jigsaw"}}])
    def test_refuses_contradictions(self, settings):
        with pytest.raises(SettingError):
            named(settings, "task", "rotation")


class TestSingle:
    @pytest.mark.parametrize(("settings", "given"), [({"a": "x"}, None), ({}, "x"), ({"a": "x"}, "x")])
    def test_takes_the_value_from_wherever_it_is(self, settings, given):
        assert single(settings, "a", given) == "x"
        assert settings == {}

    def test_refuses_contradictions(self):
        with pytest.raises(SettingError, match=r"--init-from x and --set init_from=y"):
            single({"init_from": "y"}, "init_from", "x")
