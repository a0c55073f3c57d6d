"""Settings of the continuous run: environment variables ``HMS_...`` and the file ``.env``."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hybrid_ml_scheduler.core.errors import InputError, SettingsError

PREFIX = "HMS_"
CHECK_EVERY = 64
"""A lane looks at the length of its queue once per so many arrivals: always at the same ones, so that a resumed run refuses the same tasks."""


class LiveSettings(BaseSettings):
    """What the continuous run can be told. Every field is the environment variable ``HMS_<NAME>``; the environment comes before ``.env``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    queue_limit: int = Field(
        1_000, ge=1, le=1_000_000, description="A lane with more waiting tasks is saturated, and refuses tasks until half are left."
    )
    piece_tasks: int = Field(2_048, ge=64, le=65_536, description="Tasks that are generated at a time; a multiple of 64.")
    step_tasks: int = Field(512, ge=1, le=65_536, description="Most arrivals between two writes to the journal.")
    step_interval_s: float = Field(0.05, gt=0, le=10, description="How often a run with a speed goes on, in seconds.")
    report_interval_s: float = Field(0.1, gt=0, le=60, description="How often the state of the lanes is worked out anew, in seconds.")
    checkpoint_interval_s: float = Field(5.0, ge=0, le=3_600, description="Shortest time between two checkpoints of a run, in seconds.")
    blocked_retry_s: float = Field(1.0, gt=0, le=600, description="How often a full disk is tried again, in seconds.")
    training_rows: int = Field(4_000, ge=100, le=1_000_000, description="Newest outcomes of each learned policy that retraining looks at.")
    models_kept: int = Field(
        50,
        ge=2,
        le=100_000,
        description="Newest versions of each model that retraining made and that stay, besides those that a run needs.",
    )
    control_timeout_s: float = Field(
        5.0,
        gt=0,
        le=600,
        description="How long to wait for the process that leads a run which several share, when another is asked for something, in seconds.",
    )
    training_pause_s: float = Field(10.0, ge=0, le=86_400, description="Shortest time between two trainings, in seconds.")

    @model_validator(mode="after")
    def _whole_checks(self) -> Self:
        if self.piece_tasks % CHECK_EVERY:
            raise SettingsError(f"{PREFIX}PIECE_TASKS", f"is {self.piece_tasks}", f"a multiple of {CHECK_EVERY}")
        return self

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Read the settings.

        Parameters
        ----------
        **given
            Values that come before environment and ``.env``.

        Raises
        ------
        SettingsError
            If one makes no sense; one line that begins with its name.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            name = "_".join(str(part) for part in first["loc"])
            expected = str(first["msg"]).removeprefix("Input should be ")
            raise SettingsError(f"{PREFIX}{name.upper()}", "has no usable value", expected) from None
        except UnicodeDecodeError as error:
            raise InputError(f".env: not UTF-8 text ({error.reason} at byte {error.start}); expected lines NAME=VALUE") from None
