from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hybrid_ml_scheduler.core.errors import ModelError
from hybrid_ml_scheduler.learning import arrays as arrays_module
from hybrid_ml_scheduler.learning import card as card_module
from hybrid_ml_scheduler.learning.arrays import DTYPES, arrays_digest, decode_arrays, encode_arrays
from hybrid_ml_scheduler.learning.card import FORMAT_VERSION, decode_card, encode_card, model_name
from hybrid_ml_scheduler.learning.store import Model, load_model, save_model
from model_cases import example_model


def same(one: Model, two: Model) -> bool:
    cards = replace(one.card, arrays_sha256="") == replace(two.card, arrays_sha256="")
    return cards and arrays_digest(one.arrays) == arrays_digest(two.arrays)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("models"), example_model())


def altered(folder: Path, target: Path, file: str, content: bytes) -> Path:
    """A copy of a stored model with one file changed."""
    copy = target / folder.parent.name / folder.name
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    (copy / file).write_bytes(content)
    return copy


def test_what_is_saved_is_loaded(folder: Path) -> None:
    loaded = load_model(folder)
    assert same(loaded, example_model())
    assert loaded.card.features == ("size", "wait_s")
    assert all(array.flags.writeable and array.flags.c_contiguous for array in loaded.arrays.values())
    assert sorted(path.name for path in folder.parent.rglob("*")) == ["1", "arrays.npz", "model.json"]


def test_the_same_model_gives_the_same_bytes(tmp_path: Path, folder: Path) -> None:
    model = example_model()
    shuffled = Model(model.card, dict(reversed(model.arrays.items())))
    again = save_model(tmp_path, shuffled)
    assert all((again / name).read_bytes() == (folder / name).read_bytes() for name in ("model.json", "arrays.npz"))


def test_versions_never_change(tmp_path: Path) -> None:
    path = save_model(tmp_path, example_model())
    with pytest.raises(ModelError, match="versions never change"):
        save_model(tmp_path, example_model(mark=2.0))
    assert same(load_model(path), example_model())
    assert [entry.name for entry in path.parent.iterdir()] == ["1"]


def test_a_version_made_by_somebody_else_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_model(tmp_path, example_model())
    monkeypatch.setattr(Path, "exists", lambda self: False)
    with pytest.raises(ModelError, match="cannot be written"):
        save_model(tmp_path, example_model(mark=2.0))
    assert same(load_model(path), example_model())
    assert [entry.name for entry in path.parent.iterdir()] == ["1"]


@given(
    npst.arrays(
        st.sampled_from([*DTYPES.values(), np.dtype(">f8"), np.dtype(">i4")]),
        npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    )
)
def test_any_array_survives(array: np.ndarray[Any, Any]) -> None:
    back = decode_arrays(encode_arrays({"a": array.T}, "test"), "test")["a"]
    assert back.shape == array.T.shape
    assert back.tobytes() == array.T.astype(array.dtype.newbyteorder("<")).tobytes()
    assert arrays_digest({"a": back}) == arrays_digest({"a": array.T})


@given(data=st.data())
def test_any_damage_is_found_or_changes_nothing(data: st.DataObject, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = data.draw(st.sampled_from(["model.json", "arrays.npz"]))
    content = bytearray((folder / file).read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    how = data.draw(st.sampled_from(["flip", "cut", "insert"]))
    if how == "flip":
        content[position] ^= data.draw(st.integers(1, 255))
    elif how == "cut":
        del content[position : data.draw(st.one_of(st.just(len(content)), st.integers(position, len(content))))]
    else:
        content[position:position] = data.draw(st.binary(min_size=1, max_size=50))
    try:
        loaded = load_model(altered(folder, tmp_path_factory.getbasetemp() / "damaged", file, bytes(content)))
    except ModelError as error:
        assert file in str(error)  # noqa: PT017 - both ends are right
    else:
        assert same(loaded, load_model(folder))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_as_arrays(content: bytes) -> None:
    for wrapped in (content, archive({"a.npy": content}), archive({"a.npy": b"\x93NUMPY\x01\x00" + content})):
        with pytest.raises(ModelError):
            decode_arrays(wrapped, "file")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.sampled_from(sorted(example_model().card.to_dict())), JSON)
def test_any_value_in_any_field_is_right_or_refused(field: str, value: Any) -> None:
    values = {**example_model().card.to_dict(), "arrays_sha256": "0" * 64, field: value}
    try:
        content = sealed(values)
    except (ValueError, TypeError):
        return  # JSON of other languages would not hold it either
    try:
        card = decode_card(content, "model.json")
    except ModelError as error:
        assert "expected" in str(error)  # noqa: PT017 - both ends are right
    else:
        assert decode_card(encode_card(card).encode(), "again") == card


def sealed(values: dict[str, Any]) -> bytes:
    """A card with a right hash, as somebody who means harm would write it."""
    return json.dumps({**values, "card_sha256": card_module._seal(values)}, allow_nan=False).encode()


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return file.getvalue()


def member(array: np.ndarray[Any, Any], version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version)
    return file.getvalue()


FORMAT = {
    "format": FORMAT_VERSION,
    **{key: value for key, value in example_model().card.to_dict().items() if key != "format"},
    "arrays_sha256": "0" * 64,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format version 2; expected 1"),
        ({"format": True}, "format version True"),
        ({"format": "1"}, "format version '1'"),
        ({"name": "../up"}, "field 'name'"),
        ({"name": "Upper"}, "field 'name'"),
        ({"version": 0}, "field 'version' is 0"),
        ({"version": True}, "field 'version' is True"),
        ({"version": 1.0}, "field 'version' is 1.0"),
        ({"kind": "other"}, "one of batch, nodes, divisible, kernels"),
        ({"kind": ["batch"]}, "field 'kind'"),
        ({"created": "yesterday"}, "field 'created'"),
        ({"created": "20260131"}, "field 'created'"),
        ({"seed": -1}, "field 'seed'"),
        ({"command": "one\ntwo"}, "field 'command'"),
        ({"command": "\x1b[31m"}, "field 'command'"),
        ({"features": ["a", "a"]}, "each once"),
        ({"features": "ab"}, "field 'features'"),
        ({"training": {}}, "field 'training'"),
        ({"training": {**FORMAT["training"], "seeds": [True]}}, "field 'training'"),
        ({"training": {**FORMAT["training"], "sha256": "f" * 63}}, "field 'training'"),
        ({"metrics": {"loss": True}}, "field 'metrics'"),
        ({"metrics": {"loss": 2**63}}, "64 bits"),
        ({"parameters": []}, "field 'parameters'"),
        ({"parameters": {"text": "a" * 20_001}}, "too long"),
        ({"parameters": {"text": "\ud800"}}, "no Unicode"),
        ({"arrays_sha256": "F" * 64}, "field 'arrays_sha256'"),
        ({"extra": 1}, "unknown field 'extra'"),
    ],
)
def test_impossible_cards_are_refused(change: dict[str, Any], message: str) -> None:
    decode_card(sealed(FORMAT), "file")
    with pytest.raises(ModelError, match=rf"^file: .*{message}"):
        decode_card(sealed({**FORMAT, **change}), "file")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not readable as JSON"),
        (b"\xff\xfe", "not readable as JSON"),
        (b"[1]", "holds list"),
        (b"[" * 100_000, "not readable as JSON"),
        (b'{"format": 1, "format": 1}', "twice"),
        (b'{"format": 1, "x": NaN}', "NaN is no number"),
        (b'{"format": 1, "x": 1e999}', "not finite"),
        (b'{"format": 1, "x": ' + b"9" * 5000 + b"}", "not readable as JSON"),
        (b'{"format": 1, "x": ' + b"[" * 20 + b"]" * 20 + b"}", "nested deeper"),
        (b'{"format": 1}', "card_sha256 does not match"),
        (b" " * (card_module.MAX_JSON_BYTES + 1), "larger than"),
    ],
)
def test_hostile_json_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        decode_card(content, "file")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"version": 0}, "'version' is 0"), ({"parameters": {"x": np.float64("nan")}}, "not finite"), ({"parameters": {"x": np.ones(1)}}, "ndarray")],
)
def test_cards_that_could_not_be_read_are_not_written(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        save_model(tmp_path, example_model(**change))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("array", [np.array([{}]), np.array(["text"]), np.zeros(1, dtype=complex), np.zeros((1,) * 5), np.zeros(1, dtype="f8,f8")])
def test_arrays_that_could_not_be_read_are_not_written(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(ModelError, match="cannot be stored"):
        save_model(tmp_path, Model(example_model().card, {"a": array}))
    assert list(tmp_path.iterdir()) == []


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_pickles_are_refused_and_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    pickled = member(np.array([Trap(trap)], dtype=object))
    trap.unlink(missing_ok=True)
    for content in (archive({"a.npy": pickled}), pickled, pickle.dumps(Trap(trap))):
        with pytest.raises(ModelError):
            decode_arrays(content, "file")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive({"a.npy": member(np.array(["text"]))}), "not a plain array"),
        (archive({"a.npy": member(np.zeros(2, dtype=np.complex128))}), "not a plain array"),
        (archive({"a.npy": member(np.zeros(2, dtype=np.uint64))}), "elements '<u8'"),
        (archive({"a.npy": member(np.zeros(2, dtype=">f8"))}), "not a plain array"),
        (archive({"a.npy": member(np.zeros((2, 2), order="F"))}), "not a plain array"),
        (archive({"a.npy": member(np.zeros(2), version=(2, 0))}), "not a plain array"),
        (archive({"a.npy": member(np.zeros((1,) * 5))}), "in 5 dimensions"),
        (archive({"a.npy": member(np.zeros(2))[:-1]}), "15 bytes for shape"),
        (archive({"a.npy": member(np.zeros(2)).replace(b"(2,), ", b"(9999999999,), ")}), "not a plain array|bytes for shape"),
        (archive({"a.npy": member(np.zeros(2, dtype=bool))[:-1] + b"\2"}), "neither 0 nor 1"),
        (archive({"../a.npy": member(np.zeros(2))}), "holds a file"),
        (archive({"a.txt": b""}), "holds a file"),
        (archive({"a.npy": member(np.zeros(2))}, zipfile.ZIP_LZMA), "unusual way"),
        (archive({f"a{number}.npy": b"" for number in range(arrays_module.MAX_ARRAYS + 1)}), "257 arrays"),
        (archive({f"a{number}.npy": b"" for number in range(2 * arrays_module.MAX_ARRAYS + 1)}), "more than 256 files"),
        (bytes(arrays_module.MAX_FILE_BYTES + 1), "larger than"),
    ],
)
def test_hostile_archives_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        decode_arrays(content, "file")


def test_an_array_that_stands_twice_is_refused() -> None:
    file = io.BytesIO(archive({"a.npy": member(np.zeros(2)), "b.npy": member(np.zeros(2))}).replace(b"b.npy", b"a.npy"))
    with pytest.raises(ModelError, match="stands there twice"):
        decode_arrays(file.getvalue(), "file")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = archive({"a.npy": bytes(arrays_module.MAX_TOTAL_BYTES + 1)})
    assert len(bomb) < 200_000
    unpacked = []
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *arguments: unpacked.append(arguments))
    with pytest.raises(ModelError, match="bytes uncompressed"):
        decode_arrays(bomb, "file")
    assert unpacked == []


def test_a_zip_bomb_that_lies_about_its_size_is_read_no_further_than_it_says() -> None:
    size = 50_000_000
    bomb = archive({"a.npy": bytes(size)}).replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    with pytest.raises(ModelError, match="damaged"):
        decode_arrays(bomb, "file")


def test_the_arrays_of_another_model_are_refused(tmp_path: Path, folder: Path) -> None:
    other = encode_arrays(example_model(mark=2.0).arrays, "other")
    with pytest.raises(ModelError, match=r"arrays\.npz: the arrays are not those of hybrid_ml-batch@1"):
        load_model(altered(folder, tmp_path, "arrays.npz", other))


def test_a_folder_must_be_called_as_its_card_says(tmp_path: Path, folder: Path) -> None:
    moved = tmp_path / "hybrid_ml-batch" / "2"
    shutil.copytree(folder, moved)
    with pytest.raises(ModelError, match="is the card of hybrid_ml-batch@1; expected hybrid_ml-batch@2"):
        load_model(moved)
    assert same(load_model(moved, stored=False), example_model())


@pytest.mark.parametrize("file", ["model.json", "arrays.npz"])
def test_missing_files_pipes_and_folders_are_refused(tmp_path: Path, folder: Path, file: str) -> None:
    copy = altered(folder, tmp_path, file, b"")
    (copy / file).unlink()
    with pytest.raises(ModelError, match=f"{file}: cannot be read"):
        load_model(copy)
    os.mkfifo(copy / file)
    with pytest.raises(ModelError, match=f"{file}: not an ordinary file"):
        load_model(copy)
    (copy / file).unlink()
    (copy / file).symlink_to("/dev/zero")
    with pytest.raises(ModelError, match=f"{file}: not an ordinary file"):
        load_model(copy)
    (copy / file).unlink()
    (copy / file).mkdir()
    with pytest.raises(ModelError, match=file):
        load_model(copy)


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "hybrid_ml-batch").write_text("a file")
    with pytest.raises(ModelError, match="cannot be written"):
        save_model(tmp_path, example_model())


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        ("mean_response", "rl_agent-nodes"),
        ("energy", "rl_agent-nodes-energy"),
        ("mean_response=1,cost=0.5", "rl_agent-nodes-mean_response-1-cost-0.5"),
    ],
)
def test_usual_names(objective: str, name: str) -> None:
    assert model_name("rl_agent", "nodes", objective) == name
