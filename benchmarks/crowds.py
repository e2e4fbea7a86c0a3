"""Many people at once who go on asking for a while, and come again when they are told to."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from tests.load import get

PATIENCE_S = 60.0


@dataclass(slots=True)
class Told:
    """What they were told.

    Attributes:
        statuses: How often each; 0 for no answer.
        seconds: How long each answer took.
        healthy: How long `/healthz` took, asked ten times a second meanwhile; inf for no 200.
        lasted: Seconds until all had their last answer.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    healthy: list[float] = field(default_factory=list)
    lasted: float = 0.0


async def _ask(port: int, link: list[asyncio.StreamWriter], request: bytes) -> tuple[int, int]:
    """The status, and after how many seconds to come again; on a link that is kept."""
    if not link:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        link[:] = [reader, writer]  # type: ignore[list-item]
    reader, writer = link  # type: ignore[assignment]
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    said = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    await reader.readexactly(int(said.get("content-length", 0)))
    if said.get("connection") == "close":
        writer.close()
        link.clear()
    return int(head.split()[1]), int(said.get("retry-after", 0))


async def _one(port: int, make: Callable[[], bytes], until: float, told: Told) -> None:
    link: list[asyncio.StreamWriter] = []
    while time.monotonic() < until:
        began, status, pause = time.monotonic(), 0, 1
        with suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                status, pause = await _ask(port, link, make())
        told.statuses[status] += 1
        told.seconds.append(time.monotonic() - began)
        if not status:
            link.clear()
        await asyncio.sleep(min(pause, max(0.0, until - time.monotonic())))
    if link:
        link[1].close()


async def _look(port: int, until: float) -> list[float]:
    waits = []
    while time.monotonic() < until:
        began, status = time.monotonic(), 0
        link: list[asyncio.StreamWriter] = []
        with suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                status, _ = await _ask(port, link, get("/healthz"))
                link[1].close()
        waits.append(time.monotonic() - began if status == 200 else float("inf"))
        await asyncio.sleep(0.1)
    return waits


def looked(port: int, until: float) -> list[float]:
    """How long `/healthz` takes; for a process of its own, as the crowd's is busy."""
    return asyncio.run(_look(port, until))


def crowd(port: int, people: int, make: Callable[[], bytes], *, seconds: float) -> Told:
    """Have so many people ask, each again as soon as answered, or when Retry-After says."""
    told, began = Told(), time.monotonic()

    async def all_of_them() -> None:
        await asyncio.gather(*(_one(port, make, began + seconds, told) for _ in range(people)))

    with ProcessPoolExecutor(1) as pool:
        looking = pool.submit(looked, port, began + seconds)
        asyncio.run(all_of_them())
        told.lasted = time.monotonic() - began
        told.healthy = looking.result()
    return told
