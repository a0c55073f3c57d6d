"""Settings: every one documented, nonsense refused with one line, secrets never shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hybrid_ml_scheduler.core.errors import SettingsError
from hybrid_ml_scheduler.storage.settings import Fsync, StorageSettings

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / ".env.example"


def test_the_example_lists_every_setting_with_its_default_and_its_description() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for name, field in StorageSettings.model_fields.items():
        assert f"# {field.description}\nHMS_{name.upper()}=" in text, name


def test_the_example_changes_nothing() -> None:
    assert StorageSettings(_env_file=EXAMPLE) == StorageSettings(_env_file=None)  # type: ignore[call-arg]


def test_no_password_has_a_default() -> None:
    assert not re.search(r"://[^\s/]*:[^\s/]*@", re.sub(r"^#.*$", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert StorageSettings.load().database_url is None
    assert StorageSettings.load().redis_url is None


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("POOL_SIZE", "0", "greater than or equal to 1"),
        ("POOL_SIZE", "many", "valid integer"),
        ("POOL_TIMEOUT_S", "-1", "greater than 0"),
        ("LAG_TARGET_S", "nan", "less than or equal to 3600"),
        ("DRAIN_BATCH_ROWS", "1e99", "valid integer"),
        ("JOURNAL_FSYNC", "sometimes", "'always', 'interval' or 'never'"),
        ("DATABASE_URL", "mysql://root:hunter2@host/x", "mysql"),
        ("DATABASE_URL", "no address hunter2", "postgresql+asyncpg://"),
        ("DATABASE_URL", "sqlite+aiosqlite://", "outlives"),
        ("DATABASE_URL", "postgresql://user:hunter2@host", "database"),
        ("REDIS_URL", "http://:hunter2@host", "redis://"),
        ("RETENTION_DAYS", "-3", "greater than or equal to 0"),
    ],
)
def test_nonsense_is_one_line_that_names_the_setting_and_not_the_value(monkeypatch: pytest.MonkeyPatch, name: str, value: str, part: str) -> None:
    monkeypatch.setenv(f"HMS_{name}", value)
    with pytest.raises(SettingsError) as caught:
        StorageSettings.load()
    message = str(caught.value)
    assert message.startswith(f"HMS_{name}: ")
    assert part in message
    assert "hunter2" not in message
    assert "\n" not in message
    assert caught.value.exit_code == 2


def test_the_environment_comes_before_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HMS_POOL_SIZE=7\nHMS_JOURNAL_FSYNC=always\nHMS_VENV=elsewhere\n", encoding="utf-8")
    monkeypatch.setenv("HMS_POOL_SIZE", "9")
    settings = StorageSettings.load()
    assert (settings.pool_size, settings.journal_fsync) == (9, Fsync.ALWAYS)


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMS_DATABASE_URL", "postgresql://anna:hunter2@host/runs")
    monkeypatch.setenv("HMS_REDIS_URL", "redis://:hunter2@host/0")
    settings = StorageSettings.load()
    assert "hunter2" not in f"{settings!r} {settings} {settings.url} {settings.model_dump_json()}"
    assert settings.url.drivername == "postgresql+asyncpg"


def test_without_a_database_there_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    settings = StorageSettings.load(data_dir=tmp_path)
    assert settings.url.database == str(tmp_path / "hms.sqlite3")
    assert settings.journal_folder == tmp_path / "journal"


def test_without_a_home_the_data_folder_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    with pytest.raises(SettingsError, match=r"^HMS_DATA_DIR: "):
        StorageSettings.load()
