"""Settings of the continuous run: every one documented, nonsense refused with one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybrid_ml_scheduler.core.errors import SettingsError
from hybrid_ml_scheduler.live.settings import LiveSettings

EXAMPLE = Path(__file__).resolve().parents[2] / ".env.example"


def test_the_example_lists_every_setting_with_its_default_and_its_description() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for name, field in LiveSettings.model_fields.items():
        assert f"# {field.description}\nHMS_{name.upper()}=" in text, name


def test_the_example_changes_nothing() -> None:
    assert LiveSettings(_env_file=EXAMPLE) == LiveSettings(_env_file=None)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("QUEUE_LIMIT", "0", "greater than or equal to 1"),
        ("STEP_TASKS", "many", "valid integer"),
        ("CHECKPOINT_INTERVAL_S", "nan", "expected"),
        ("PIECE_TASKS", "100", "a multiple of 64"),
    ],
)
def test_nonsense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str, part: str) -> None:
    monkeypatch.setenv(f"HMS_{name}", value)
    with pytest.raises(SettingsError, match=part) as refused:
        LiveSettings.load()
    assert str(refused.value).startswith(f"HMS_{name}:")
    assert "\n" not in str(refused.value)
