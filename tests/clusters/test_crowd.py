"""Far more people at once than can be served, who come again when they are told to."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.checker.http import PASSWORD, SETTINGS
from tests.load import get, register
from tests.service import Service
from tests.services.processes import tree

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

AT_ONCE, CLIENTS, SECONDS = 2_000, 800, 30.0
MOST_MIB = 200
"""What a worker may take beyond what it had before."""


def memory(service: Service) -> float:
    """What all of its processes have in memory, in MiB."""
    pages = 0
    for pid in tree(service.pid):
        pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def patient(port: int, number: int, password: str | None, ends: float) -> list[int]:
    """The statuses that one is told until this moment, by names that nobody else asks for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    told: list[int] = []
    while time.monotonic() < ends:
        writer.write(register(f"p{number}x{len(told)}", password))
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 90)).decode().lower()
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        await reader.readexactly(int(lines["content-length"]))
        told.append(int(head.split()[1]))
        if told[-1] == 503:
            await asyncio.sleep(float(lines["retry-after"]))
    writer.close()
    return told


async def half(port: int) -> int:
    """What one is told who sends half a body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(register("half", PASSWORD)[:-5])
    head = await asyncio.wait_for(reader.readline(), 90)
    writer.close()
    return int(head.split()[1])


async def crowd(port: int, password: str | None) -> tuple[list[list[int]], int]:
    ends = time.monotonic() + SECONDS
    *told, late = await asyncio.gather(
        *(patient(port, i, password, ends) for i in range(CLIENTS)), half(port)
    )
    return told, late  # type: ignore[return-value]


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["names", "passwords"])
def test_a_crowd(password: str | None) -> None:
    """Everybody is answered, and nobody with an error; memory stays what it is."""
    settings = SETTINGS | {"password": "optional", "argon2_memory_kib": 8192}
    with Service(workers=1, **settings) as service:
        service.one(register("first", password))
        before = memory(service)
        at_once = service.send(*[register(f"all{i}", password) for i in range(AT_ONCE)])
        assert {one.status for one in at_once} <= {201, 503}
        assert len(at_once) == AT_ONCE
        told, late = asyncio.run(crowd(service.port, password))
        counts = Counter(status for one in told for status in one)
        assert counts.keys() == {201, 503}, counts
        assert late == 408
        assert all(told)
        assert memory(service) < before + MOST_MIB
        assert service.one(get("/healthz")).status == 200
        assert service.one(register("last", password)).status == 201
        assert " 500" not in service.log()
