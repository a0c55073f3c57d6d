"""Settings of the service: nonsense is one line that names the setting, and the example lists them all."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from hybrid_ml_scheduler.cli.main import run
from hybrid_ml_scheduler.core.errors import SettingsError
from hybrid_ml_scheduler.service.server import address_of, bind
from hybrid_ml_scheduler.service.settings import ServiceSettings
from hybrid_ml_scheduler.storage.journal import JournalStore

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / ".env.example"


def test_the_example_lists_every_setting_with_its_default_and_its_description() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    listed = [line.partition("=")[0] for line in text.splitlines() if line.startswith("HMS_")]
    assert sorted(listed) == sorted(f"HMS_{name.upper()}" for name in ServiceSettings.model_fields)
    for name, field in ServiceSettings.model_fields.items():
        assert f"# {field.description}\nHMS_{name.upper()}=" in text, name


def test_the_example_changes_nothing() -> None:
    assert ServiceSettings(_env_file=EXAMPLE) == ServiceSettings(_env_file=None)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "http"),
        ("HOST", "no host"),
        ("HOST", "-"),
        ("HOST", ""),
        ("SPEED", "0"),
        ("SPEED", "nan"),
        ("SPEED", "fast"),
        ("BODY_MAX_KB", "0"),
        ("WS_RATE_HZ", "0"),
        ("WS_RATE_HZ", "1000"),
        ("WS_CLIENTS_MAX", "0"),
        ("WS_HEARTBEAT_S", "nan"),
        ("HEALTH_TIMEOUT_S", "inf"),
        ("DATABASE_AWAY_MAX_S", "-1"),
        ("SHUTDOWN_TIMEOUT_S", "0"),
        ("POOL_SIZE", "none"),
        ("QUEUE_LIMIT", "0"),
        ("DATABASE_URL", "mysql://root:secret@host/db"),
    ],
)
def test_nonsense_stops_the_start_with_one_line_that_names_it(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("HMS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv(f"HMS_{name}", value)
    assert run(["serve", "--port", "0"] if name != "PORT" else ["serve"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"hms: HMS_{name}: ")
    assert said.count("\n") == 1
    assert "expected" in said
    assert "secret" not in said
    assert not (tmp_path / "data").exists()


def test_options_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMS_PORT", "1")
    monkeypatch.setenv("HMS_SPEED", "max")
    found = ServiceSettings.load(port=2)
    assert (found.port, found.default_speed) == (2, None)
    monkeypatch.setenv("HMS_SPEED", "2.5")
    assert ServiceSettings.load().default_speed == 2.5


def test_a_port_that_is_taken_and_an_address_that_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("HMS_DATA_DIR", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["serve", "--port", str(port), "--no-start"]) == 2
    assert capsys.readouterr().err.startswith(f"hms: HMS_PORT: cannot listen on 127.0.0.1, port {port} ")
    with pytest.raises(SettingsError, match="HMS_HOST"):
        bind(ServiceSettings.load(host="192.0.2.1", port=0))


def test_a_data_folder_that_is_taken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first = JournalStore(ServiceSettings.load(data_dir=tmp_path))
    first.lock()
    try:
        assert run(["serve", "--port", "0", "--data-dir", str(tmp_path)]) == 2
    finally:
        first.close()
    assert "another process writes into this data folder" in capsys.readouterr().err


def test_addresses_that_a_browser_understands() -> None:
    for host, shown in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "127.0.0.1")):  # noqa: S104 - never served
        with bind(ServiceSettings.load(host=host, port=0)) as listener:
            assert address_of(listener) in {f"http://{shown}:{listener.getsockname()[1]}", f"http://[::1]:{listener.getsockname()[1]}"}


def test_the_compose_file_uses_settings_that_there_are() -> None:
    found = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert set(found["services"]) == {"postgres", "valkey", "hms", "hms-2", "hms-3"}
    used = set(found["services"]["hms-3"]["environment"]) - {"HMS_VENV"}
    assert used <= {f"HMS_{name.upper()}" for name in ServiceSettings.model_fields}
    named = {volume.partition(":")[0] for service in found["services"].values() for volume in service.get("volumes", [])} - {"."}
    assert named == set(found["volumes"])
    # Without authentication it must not be open to a network.
    processes = [found["services"][name] for name in ("hms", "hms-2", "hms-3")]
    assert [each["ports"] for each in processes] == [[f"127.0.0.1:{port}:8000"] for port in (8000, 8001, 8002)]
    # They share a run, and no data folder.
    assert len({volume for each in processes for volume in each["volumes"] if volume.endswith(":/data")}) == 3
