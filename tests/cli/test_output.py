from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hybrid_ml_scheduler.cli.output import check_target, make_folder, one_stdout, replacing, write_text
from hybrid_ml_scheduler.core.errors import InputError


def test_text_ends_with_a_newline_and_is_made_only_if_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.json"
    write_text("--json", str(target), lambda: "{}")
    assert target.read_text() == "{}\n"
    write_text("--json", "-", lambda: "a,b\n")
    assert capsys.readouterr().out == "a,b\n"
    write_text("--json", None, lambda: pytest.fail("made a text that nobody wants"))


def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")

    def fail_half_way() -> None:
        with replacing("--csv", str(target)) as path:
            path.write_text("new, but only half of")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("out.csv", "old")]


def test_the_temporary_file_keeps_the_suffixes_because_writers_look_at_them(tmp_path: Path) -> None:
    with replacing("--schedule", str(tmp_path / "s.csv.gz")) as path:
        assert path.suffixes == [".csv", ".gz"]
        assert path.parent == tmp_path


def test_mode_follows_the_umask_or_the_old_file(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_text("--json", str(tmp_path / "new"), lambda: "1")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o604)
    write_text("--json", str(tmp_path / "new"), lambda: "2")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o604


def test_a_link_is_followed_and_a_device_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_text("--json", str(tmp_path / "link"), lambda: "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new\n"
    check_target("--json", "/dev/null")
    write_text("--json", "/dev/null", lambda: "gone")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.parametrize(("target", "says"), [("no/such/file.json", "does not exist"), (".", "is a folder"), ("", "is a folder")])
def test_unwritable_targets_are_found_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"--json: .*{says}.*expected"):
        check_target("--json", target)


def test_an_operating_system_error_becomes_one_of_ours(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--json: cannot write .*No space left"):
        write_text("--json", "/dev/full", lambda: "x" * 100_000)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--plots: folder .* cannot be made"):
        make_folder("--plots", str(tmp_path / "file" / "plots"))


def test_only_one_result_may_take_standard_output() -> None:
    assert not one_stdout(json=None, csv="out.csv")
    assert one_stdout(json="-", csv="out.csv")
    with pytest.raises(InputError, match="--json and --csv both write to standard output"):
        one_stdout(json="-", csv="-")
