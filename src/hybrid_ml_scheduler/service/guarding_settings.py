"""Settings of what guards the service: environment variables ``HMS_...`` and the file ``.env``."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hybrid_ml_scheduler.storage.settings import PREFIX

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_RATE = re.compile(r"[1-9][0-9]{0,5}/(second|minute|hour)")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


def parts(text: str) -> tuple[str, ...]:
    """Return what stands between commas."""
    return tuple(part for each in text.split(",") if (part := each.strip()))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class SecuritySettings(BaseSettings):
    """How the service is guarded. Every field is the environment variable ``HMS_<NAME>``; the environment comes before ``.env``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    auth: Literal["auto", "keys"] = Field(
        "auto", description="keys: nobody gets in without a key or a sign-in. auto: nor with this, but this machine, until the first key is made."
    )
    allowed_hosts: str = Field("", description="Further names under which browsers find the service, with commas between them: its name at a proxy.")
    cors_origins: str = Field("", description="Pages of other origins that may use the API, with commas between them: https://HOST. Empty: none.")
    trusted_proxies: str = Field(
        "", description="Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, with commas between them."
    )
    root_path: str = Field("", description="Path under which a proxy shows the service, such as /scheduler.")

    token_ttl_s: float = Field(600.0, ge=1, le=86_400, description="How long the token of a sign-in is good before it must be renewed, in seconds.")
    session_ttl_days: float = Field(7.0, gt=0, le=365, description="How long a sign-in lasts if it is not used, in days.")
    signing_key_days: float = Field(30.0, gt=0, le=3_650, description="Age at which the key that signs tokens is replaced, in days.")

    limits: Literal["auto", "on", "off"] = Field("auto", description="Limits on the rate of requests. auto: on as soon as there are keys.")
    rate_read: str = Field("200/second", description="Most reading requests of one key, sign-in or address: NUMBER/second, /minute or /hour.")
    rate_control: str = Field("20/second", description="Most requests that change something.")
    rate_heavy: str = Field("5/second", description="Most requests that are much work: exports, explanations, uploads.")
    rate_login: str = Field("10/minute", description="Most attempts to sign in, of one address and of one name. Always on.")
    rate_anonymous: str = Field("20/second", description="Most requests of one address that come without credentials, or with wrong ones.")

    header_max_kb: float = Field(16.0, ge=1, le=1_000, description="Longest head of a request: its first line and its headers, in kB.")
    header_timeout_s: float = Field(10.0, gt=0, le=600, description="How long a client may take to send the head of a request, in seconds.")
    body_timeout_s: float = Field(20.0, gt=0, le=3_600, description="How long a client may take to send a body, in seconds.")
    send_timeout_s: float = Field(30.0, gt=0, le=3_600, description="A client that takes nothing of an answer for so long is cut off, in seconds.")
    json_depth_max: int = Field(32, ge=1, le=200, description="Deepest nesting of JSON in a body.")
    connections_max: int = Field(
        4_000, ge=1, le=1_000_000, description="Most connections at a time, and never more than half of the files that the process may have open."
    )
    ws_per_client_max: int = Field(50, ge=1, le=100_000, description="Most live streams of one key, sign-in or address, while requests are limited.")

    workload_dir: Annotated[Path | None, BeforeValidator(lambda value: None if value == "" else value)] = Field(
        None, description="Folder whose trace and cluster files a start may name where keys are needed. Empty: none, only presets and uploads."
    )
    upload_max_mb: float = Field(32.0, gt=0, le=10_000, description="Largest upload of a workload, in MB.")
    upload_timeout_s: float = Field(60.0, gt=0, le=3_600, description="Longest time that reading an uploaded workload may take, in seconds.")
    upload_memory_mb: float = Field(2_000.0, ge=200, le=1_000_000, description="Most memory that reading an uploaded workload may take, in MB.")
    uploads_max: int = Field(100, ge=1, le=100_000, description="Most uploaded workloads that are kept.")

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_form(cls, value: str) -> str:
        if not all(_NAME.fullmatch(name) or _address(name) for name in parts(value)):
            raise ValueError("holds something that is no host name; expected names such as scheduler.example.org, with commas between them")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins_form(cls, value: str) -> str:
        if not all(_ORIGIN.fullmatch(origin) for origin in parts(value)):
            raise ValueError("holds something that is no origin; expected https://HOST or https://HOST:PORT, with commas between them")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_form(cls, value: str) -> str:
        try:
            networks(value)
        except ValueError:
            raise ValueError(
                "holds something that is no address; expected addresses or networks such as 10.0.0.0/8, with commas between them"
            ) from None
        return value

    @field_validator("root_path")
    @classmethod
    def _root_form(cls, value: str) -> str:
        if not _ROOT_PATH.fullmatch(value):
            raise ValueError("is no path; expected one that begins with / and does not end with it, such as /scheduler")
        return value

    @field_validator("rate_read", "rate_control", "rate_heavy", "rate_login", "rate_anonymous")
    @classmethod
    def _rate_form(cls, value: str) -> str:
        if not _RATE.fullmatch(value):
            raise ValueError("is no rate; expected NUMBER/second, NUMBER/minute or NUMBER/hour")
        return value


def networks(text: str) -> tuple[Network, ...]:
    """Return addresses and networks.

    Raises
    ------
    ValueError
    """
    return tuple(ipaddress.ip_network(part, strict=False) for part in parts(text))


def _address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def host_names(host: str, allowed_hosts: str) -> frozenset[str]:
    """Return the names that a request may ask for: without a port each goes with every port."""
    own = f"[{host}]" if ":" in host else host
    return frozenset(name.lower() for name in (*_LOCAL_NAMES, own, *parts(allowed_hosts)))


def is_exposed(settings: SecuritySettings, host: str) -> bool:
    """Whether anybody but this machine may reach the service, as far as settings tell: its address, a proxy, a public name."""
    named = any(not is_loopback(name.rpartition(":")[0] or name) for name in parts(settings.allowed_hosts))
    return not is_loopback(host) or named or bool(settings.trusted_proxies or settings.root_path)
