import pytest
from pretext_client import PretextError
from pretext_client.places import DEFAULT_URL, find


@pytest.fixture
def local(tmp_path):
    """The data folder of a server on this machine."""
    (tmp_path / "url").write_text("http://127.0.0.1:8123\n")
    (tmp_path / "api-key").write_text("local-key\n")
    return {"PRETEXT_DATA_DIR": str(tmp_path)}


class TestFind:
    def test_finds_the_server_on_this_machine(self, local):
        place = find(environment=local)
        assert (place.url, place.key) == ("http://127.0.0.1:8123", "local-key")

    def test_finds_it_in_the_usual_folder(self, tmp_path):
        folder = tmp_path / "pretext-server"
        folder.mkdir()
        (folder / "api-key").write_text("k")
        place = find(environment={"XDG_DATA_HOME": str(tmp_path)})
        assert (place.url, place.key) == (DEFAULT_URL, "k")

    def test_environment_goes_before_the_files(self, local):
        place = find(environment={**local, "PRETEXT_URL": "http://localhost:1/", "PRETEXT_API_KEY": "other"})
        assert (place.url, place.key) == ("http://localhost:1", "other")

    def test_arguments_go_before_the_environment(self, local):
        place = find("http://h:2", "mine", {**local, "PRETEXT_URL": "http://localhost:1", "PRETEXT_API_KEY": "other"})
        assert (place.url, place.key) == ("http://h:2", "mine")

    @pytest.mark.parametrize("url", ["http://localhost:9", "http://127.0.0.1", "http://127.1.2.3:80", "https://[::1]:8000"])
    def test_local_key_is_for_this_machine(self, local, url):
        assert find(url, environment=local).key == "local-key"

    @pytest.mark.parametrize(
        "url",
        [
            "http://example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://127.0.0.1.nip.io",
            "http://localhost@evil.org",
        ],
    )
    def test_local_key_is_for_no_other_machine(self, local, url):
        assert find(url, environment=local).key is None

    def test_a_folder_without_a_server_gives_the_default(self, tmp_path):
        place = find(environment={"PRETEXT_DATA_DIR": str(tmp_path / "none")})
        assert (place.url, place.key) == (DEFAULT_URL, None)

    @pytest.mark.parametrize("url", ["localhost:8000", "ftp://h", "http://", "http://h:port", "h", "http://[::1"])
    def test_refuses_what_is_no_url(self, url):
        with pytest.raises(PretextError, match="write it like http"):
            find(url, environment={})

    def test_does_not_show_the_key(self, local):
        assert "local-key" not in repr(find(environment=local))
