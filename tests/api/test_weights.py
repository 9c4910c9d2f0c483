import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save
from safetensors.torch import save_file

from api.models import weights
from api.models.weights import WeightsError, check_weights

GOOD = save({"a": np.zeros((2, 3), np.float32), "b": np.zeros((), np.int64)}, {"format": "pt"})


def file_of(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    """A file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def tensor(begins: int = 0, ends: int = 4, dtype: object = "F32", shape: object = (1,)) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begins, ends]}


@pytest.fixture
def check(tmp_path: Path):
    def check(content: bytes) -> dict[str, tuple[int, ...]]:
        path = tmp_path / "weights"
        path.write_bytes(content)
        return check_weights(path)

    return check


class TestCheckWeights:
    def test_takes_what_safetensors_writes(self, check, tmp_path: Path):
        assert check(GOOD) == {"a": (2, 3), "b": ()}
        kinds = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool]
        tensors = {str(number): torch.zeros(number, dtype=kind) for number, kind in enumerate(kinds)}
        save_file(tensors, tmp_path / "w.safetensors")
        assert check((tmp_path / "w.safetensors").read_bytes()) == {str(number): (number,) for number in range(len(kinds))}

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "shorter"),
            (b"1234567", "shorter"),
            (GOOD[:-1], "its end may be missing"),
            (GOOD[:40], "shorter"),
            (GOOD + b"x", "its end may be missing"),
            (b"GIF89a" + bytes(1000), "not safetensors"),
            (file_of({}, length=2**63), "shorter"),
            (file_of(b"[]"), "no JSON object"),
            (file_of(b' {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}', bytes(4)), "no JSON object"),
            (file_of({"__metadata__": {"a": 1}, "a": tensor()}, bytes(4)), "`__metadata__`"),
            (file_of(b"nonsense"), "not the JSON"),
            (file_of(b"\xff\xfe"), "not the JSON"),
            (file_of(b"[" * 200_000), "nested too deeply"),
            (file_of(b'{"a": ' + b"9" * 5000 + b"}"), "not the JSON"),
            (file_of(b'{"a": 1, "a": 2}'), "a name is there twice"),
            (file_of({}), "no tensors"),
            (file_of({"__metadata__": {"format": "pt"}}), "no tensors"),
            (file_of({"__metadata__": 3, "a": tensor()}, bytes(4)), "`__metadata__`"),
            (file_of({"a": 3}), "'a' is not described"),
            (file_of({"a": {"dtype": "F32"}}), "'a' is not described"),
            (file_of({"a": tensor(dtype="F33")}, bytes(4)), "dtype 'F33'"),
            (file_of({"a": tensor(dtype=["F32"])}, bytes(4)), "dtype ['F32']"),
            (file_of({"a": tensor(shape=[-1])}, bytes(4)), "impossible shape"),
            (file_of({"a": tensor(shape=[True])}, bytes(4)), "impossible shape"),
            (file_of({"a": tensor(shape=[1.0])}, bytes(4)), "impossible shape"),
            (file_of({"a": tensor(shape="1")}, bytes(4)), "impossible shape"),
            (file_of({"a": tensor(shape=[2**40] * 16)}, bytes(4)), "impossible shape"),
            (file_of({"a": tensor(shape=[1] * 17)}, bytes(4)), "impossible shape"),
            (file_of({"a": tensor(0, 8)}, bytes(8)), "do not fit its shape"),
            (file_of({"a": tensor(4, 0)}, bytes(4)), "do not fit its shape"),
            (file_of({"a": tensor(4, 8)}, bytes(8)), "does not begin where"),
            (file_of({"a": tensor(), "b": tensor(8, 12)}, bytes(12)), "'b' does not begin where"),
            (file_of({"a": tensor(), "b": tensor()}, bytes(4)), "does not begin where"),
            (file_of({"a": tensor()}, bytes(3)), "its end may be missing"),
            (file_of({"a": tensor(0, 4), "b": tensor(4, 8)}, bytes(4)), "its end may be missing"),
        ],
    )
    def test_refuses_the_rest_and_says_why(self, check, content: bytes, says: str):
        with pytest.raises(WeightsError) as caught:
            check(content)
        assert says in caught.value.detail
        assert (caught.value.param, caught.value.code) == ("file", "not_safetensors")

    @pytest.mark.parametrize("legacy", [True, False])
    def test_a_pickle_is_told_how_to_become_one(self, check, tmp_path: Path, legacy: bool):
        torch.save({"a": torch.zeros(3)}, tmp_path / "encoder.pt", _use_new_zipfile_serialization=not legacy)
        with pytest.raises(WeightsError, match=r"safetensors\.torch\.save_file"):
            check((tmp_path / "encoder.pt").read_bytes())

    def test_a_header_of_any_length_is_not_read(self, check):
        text = b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
        assert check(file_of(text.ljust(weights.LARGEST_HEADER), bytes(4))) == {"a": (1,)}
        with pytest.raises(WeightsError, match="reads 4,194,304 at most"):
            check(file_of(text.ljust(weights.LARGEST_HEADER + 1), bytes(4)))

    @given(places=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=3))
    def test_what_is_taken_can_be_loaded(self, tmp_path_factory: pytest.TempPathFactory, places: list[tuple[int, int]]):
        content = bytearray(GOOD)
        for place, byte in places:
            content[place] = byte
        path = tmp_path_factory.getbasetemp() / "damaged"
        path.write_bytes(content)
        try:
            found = check_weights(path)
        except WeightsError:
            return
        with safe_open(path, framework="pt") as file:
            assert {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()} == found  # noqa: SIM118  no dictionary
