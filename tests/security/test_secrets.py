"""No secret stands in a file of this project, and none is served."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from service_fixtures import Running

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = {
    "private key": rb"-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP )?PRIVATE KEY",
    "AWS access key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": rb"\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{60,}\b",
    "GitLab token": rb"\bglpat-[A-Za-z0-9_-]{20,}\b",
    "Slack token": rb"\bxox[baprs]-[A-Za-z0-9-]{10,}\b",
    "Google key": rb"\bAIza[0-9A-Za-z_-]{35}\b",
    "Stripe key": rb"\b[sr]k_live_[0-9a-zA-Z]{20,}\b",
    "npm token": rb"\bnpm_[A-Za-z0-9]{36}\b",
    "PyPI token": rb"\bpypi-[A-Za-z0-9_-]{50,}\b",
    "JSON web token": rb"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "key of this service": rb"\bhms_(?!0123456789ab)[0-9a-f]{12}_[A-Za-z0-9_-]{43}\b",
}


def tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no checkout")
    return [path for name in listed.split(b"\0") if name and (path := ROOT / name.decode()).is_file()]


def found_in(content: bytes) -> list[str]:
    return [kind for kind, pattern in PATTERNS.items() if re.search(pattern, content)]


def test_no_tracked_file_holds_a_secret() -> None:
    files = tracked()
    assert len(files) > 300
    assert {path.relative_to(ROOT).as_posix(): kinds for path in files if (kinds := found_in(path.read_bytes()))} == {}
    assert [path.name for path in files if path.name == ".env"] == []


def test_the_patterns_find_what_they_are_for() -> None:
    planted = b"gh" + b"p_" + b"a" * 36
    assert found_in(planted) == ["GitHub token"]
    assert found_in(b"-----BEGIN " + b"PRIVATE KEY-----") == ["private key"]
    assert found_in(b"hms" + b"_abcdef012345_" + b"A" * 43) == ["key of this service"]


@pytest.mark.anyio
async def test_nothing_of_the_folder_is_served(service: Running) -> None:
    (Path.cwd() / ".env").write_text("HMS_PLANTED=planted-secret", encoding="utf-8")
    paths = (
        ".env",
        "..%2f.env",
        "%2e%2e/.env",
        "access.json",
        "audit.jsonl",
        "hms.sqlite3",
        "journal/",
        "static/..%2f..%2fserver.py",
        "assets/..%2f.env",
    )
    for path in (*paths, *(f"static/{path}" for path in paths), *(f"assets/{path}" for path in paths), "static/status.html", "static/app"):
        answer = await service.client.get(f"/{path}")
        assert answer.status_code == 404, path
        assert "planted-secret" not in answer.text
