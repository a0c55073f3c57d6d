"""Settings of the service, together with those of storage and of the continuous run: environment variables ``HMS_...`` and the file ``.env``."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

from pydantic import Field, field_validator

from hybrid_ml_scheduler.live.settings import LiveSettings
from hybrid_ml_scheduler.service.guarding_settings import SecuritySettings
from hybrid_ml_scheduler.service.observing_settings import ObservabilitySettings
from hybrid_ml_scheduler.storage.settings import StorageSettings

_FASTEST = 1e12
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class ServiceSettings(StorageSettings, LiveSettings, ObservabilitySettings, SecuritySettings):
    """What the service can be told. Every field is the environment variable ``HMS_<NAME>``; the environment comes before ``.env``."""

    host: str = Field(
        "127.0.0.1", description="Address to listen on. 0.0.0.0: every network of this machine; the service does not start there without keys."
    )
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0: any free one, which is printed.")
    body_max_kb: float = Field(64.0, gt=0, le=1_000_000, description="Largest body of a request, in kB.")
    shutdown_timeout_s: float = Field(8.0, gt=0, le=600, description="How long the service may take to end when it is told to, in seconds.")

    speed: float | Literal["max"] = Field(
        20.0, description="Speed of a run for which none was asked: simulated seconds per real second, or max for as fast as possible."
    )

    health_timeout_s: float = Field(2.0, gt=0, le=60, description="How long a health check waits for the database, in seconds.")
    database_away_max_s: float = Field(
        10.0, ge=0, le=86_400, description="The service is not ready once the database has been away for longer than this, in seconds."
    )

    ws_clients_max: int = Field(500, ge=1, le=100_000, description="Most clients of the live stream at a time.")
    ws_rate_hz: float = Field(10.0, gt=0, le=100, description="Most updates per second for each client of the live stream.")
    ws_heartbeat_s: float = Field(15.0, gt=0, le=3_600, description="A client of the live stream that was sent nothing for so long gets a heartbeat.")
    ws_send_timeout_s: float = Field(30.0, gt=0, le=3_600, description="A client of the live stream that takes nothing for so long is let go.")
    ws_message_max_kb: float = Field(16.0, gt=0, le=10_000, description="Longest message that a client of the live stream may send, in kB.")

    @field_validator("host")
    @classmethod
    def _host_form(cls, value: str) -> str:
        try:
            ipaddress.ip_address(value)
        except ValueError:
            if not _HOST_NAME.fullmatch(value):
                raise ValueError("is no address; expected an IP address or a host name such as localhost") from None
        return value

    @field_validator("speed", mode="before")
    @classmethod
    def _speed_form(cls, value: object) -> object:
        if value == "max":
            return value
        try:
            number = float(str(value))
        except ValueError:
            number = 0.0
        # NaN is refused too: it is not above 0.
        if not 0 < number <= _FASTEST:
            raise ValueError(f"is no speed; expected a number above 0 and up to {_FASTEST:g}, or max")
        return number

    @property
    def default_speed(self) -> float | None:
        """Simulated seconds per real second; None for as fast as possible."""
        return None if self.speed == "max" else float(self.speed)
