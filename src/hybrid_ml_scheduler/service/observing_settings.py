"""Settings of how the service is watched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hybrid_ml_scheduler.storage.settings import PREFIX


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


class ObservabilitySettings(BaseSettings):
    """How the service is watched. Every field is the environment variable ``HMS_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    slow_request_s: float = Field(1.0, gt=0, le=3_600, description="A request whose answer begins later than this is logged and counted, in seconds.")
    slow_query_s: float = Field(0.5, gt=0, le=3_600, description="A statement to the database that takes longer is logged and counted, in seconds.")
    gzip_min_kb: float = Field(8.0, ge=0.5, le=1e6, description="Answers from this size on are compressed for clients that take gzip, in kB.")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level of the log: debug, info, warning or error.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="json: one object per line; console: for people; auto: console on a terminal, else json."
    )
    log_file: Annotated[Path | None, BeforeValidator(_none_if_empty)] = Field(
        None, description="File for the log, begun anew when it is large. Empty: standard error."
    )
    log_file_mb: float = Field(10.0, ge=0.001, le=100_000, description="Size at which the file of the log is begun anew, in MB.")
    log_files: int = Field(5, ge=0, le=1_000, description="Older files of the log that are kept.")
    access_log: bool = Field(False, description="Whether every request is logged.")

    traces: Literal["off", "console", "otlp"] = Field(
        "off", description="Where traces go: off, console (standard error) or otlp (HMS_OTLP_ENDPOINT)."
    )
    traces_share: float = Field(1.0, ge=0, le=1, description="Share of the traces that are kept; a client that asks for one always gets it.")
    otlp_endpoint: str = Field("http://127.0.0.1:4318/v1/traces", description="Where a collector of traces takes OTLP over HTTP.")

    @field_validator("otlp_endpoint")
    @classmethod
    def _endpoint_form(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("is no address; expected http://HOST:PORT/v1/traces")
        return value
