"""Limits on rates in two service processes as they are really run: one allowance for both while Redis is there, and no failure while it is not."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from service_process import ServiceProcess
from storage_servers import PostgresServer, ValkeyServer

ALLOWED = 10
ASKED = 60
AT_ONCE = 8
# Each asks for what only an administrator may, counts as control, reaches the database, and changes nothing.
METHOD, PATH = "DELETE", "/api/v1/keys/0123456789ab"
NOT_THERE, TOO_MANY = 404, 429
LOST = "Redis does not count requests"


def new_key(service: ServiceProcess, key: str | None = None) -> str:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    answer = service.client.post("/api/v1/keys", json={"name": "k", "scopes": ["admin"]}, headers=headers)
    assert answer.status_code == 200, answer.text
    made: str = answer.json()["key"]
    return made


def known(service: ServiceProcess, key: str) -> bool:
    found = service.client.get("/api/v1/session", headers={"authorization": f"Bearer {key}"}).json()
    # A process that has not heard of the first key yet lets anybody in.
    return found["auth"] == "keys" and found["signed_in"] is True


def ask(services: Sequence[ServiceProcess], key: str, count: int = ASKED) -> list[Counter[int]]:
    """Ask all of them at once, in turns; return the statuses that each has given."""
    found: list[Counter[int]] = [Counter() for _ in services]
    lock = threading.Lock()
    with httpx.Client(timeout=600, headers={"authorization": f"Bearer {key}"}) as client, ThreadPoolExecutor(AT_ONCE) as threads:

        def once(index: int) -> None:
            at = index % len(services)
            status = client.request(METHOD, f"{services[at].address}{PATH}").status_code
            with lock:
                found[at][status] += 1

        list(threads.map(once, range(count)))
    return found


def ask_together(services: Sequence[ServiceProcess], keys: Iterator[str]) -> list[Counter[int]]:
    """As `ask`, with the first key during which neither of them has lost Redis, whatever the machine does meanwhile."""
    for key in keys:
        lost = [service.errors.count(LOST) for service in services]
        counts = ask(services, key)
        if [service.errors.count(LOST) for service in services] == lost:
            return counts
    raise AssertionError([service.errors for service in services])


def test_two_services_give_one_allowance_together_and_fail_nowhere_without_redis(
    postgres: PostgresServer, migrated: str, own_valkey: ValkeyServer, tmp_path: Path
) -> None:
    given = {
        "database_url": postgres.url(postgres.new_database(migrated)),
        "redis_url": own_valkey.url,
        "rate_control": f"{ALLOWED}/hour",
        "rate_login": "100000/second",
        # Only a server that is gone counts as gone, not one that waits for a busy machine.
        "redis_timeout_s": 30.0,
        "redis_retry_s": 0.05,
    }
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    with ServiceProcess(folders[0], **given) as one, ServiceProcess(folders[1], **given) as other:
        services = (one, other)
        for service in services:
            service.start("--no-start")
        maker = new_key(one)
        keys = [new_key(one, maker) for _ in range(ALLOWED - 2)]
        coming = iter(keys)
        for service in services:
            service.until(lambda service=service: all(known(service, key) for key in keys))  # type: ignore[misc]

        counts = ask_together(services, coming)
        print(f"with Redis: {[dict(each) for each in counts]}")
        assert sum(each[NOT_THERE] for each in counts) == ALLOWED
        assert sum(each[TOO_MANY] for each in counts) == ASKED - ALLOWED

        # It goes while they are asked, and each then counts for itself.
        dying = threading.Thread(target=own_valkey.kill)
        dying.start()
        key = next(coming)
        counts = ask(services, key)
        dying.join()
        without = ask(services, key)
        print(f"while Redis goes: {[dict(each) for each in counts]}, and without it: {[dict(each) for each in without]}")
        for each in (*counts, *without):
            assert set(each) <= {NOT_THERE, TOO_MANY}
        assert [each[TOO_MANY] for each in without] == [ASKED // 2] * 2

        own_valkey.start()
        for service in services:
            # Whoever asks is who finds out that it is back.
            service.until(lambda service=service: facts(service, maker)["limits"] == "shared")  # type: ignore[misc]
        counts = ask_together(services, coming)
        print(f"with Redis again: {[dict(each) for each in counts]}")
        assert sum(each[NOT_THERE] for each in counts) == ALLOWED
        assert [service.process is not None and service.process.poll() for service in services] == [None, None]


def facts(service: ServiceProcess, key: str) -> dict[str, object]:
    answer = service.client.get("/health/info", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()["security"]
    return found
