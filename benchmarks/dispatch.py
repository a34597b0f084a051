"""What keeping promises takes: webhooks through one dispatcher on loopback, and a sweep of deadlines with escalations.

    python benchmarks/dispatch.py [--webhooks 5000] [--interventions 10000] [--postgresql postgresql+psycopg://user@host/database]

The receiver is a process of its own that checks no signature and answers 200 at once. Messages are in the outbox before the
dispatcher starts; the figure is all of its work: taking, signing, sending, writing down. Sweeping is one transaction that
settles every deadline, hands each intervention on, appends an act to the audit chain and puts an urgent message into the
outbox. Wall time, with the machine's other work in it, and CPU time of this process.
"""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection

import sqlalchemy as sa
from measure import Line, note

from features.timestamps import now
from serving.database.engine import open_engine, writing
from serving.database.upgrade import upgrade
from serving.interventions.declare.settings import Channel, InterventionSettings, Role
from serving.interventions.deliver.dispatch import dispatch_once
from serving.interventions.run.deadlines import sweep
from serving.interventions.run.lifecycle import Deadline, NewIntervention, begin
from serving.interventions.run.outbox import Message, enqueue

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DECIDED = datetime(2026, 3, 2, 12, tzinfo=UTC)
DUE = DECIDED + timedelta(minutes=15)
LATER = DUE + timedelta(hours=1)
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
AT_ONCE = 1_000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--webhooks", type=int, default=5_000)
    arguments.add_argument("--interventions", type=int, default=10_000)
    arguments.add_argument("--postgresql", help="URL of a database that may be filled and emptied")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": f"sqlite:///{folder}/operational.db", "PostgreSQL": given.postgresql}
        for name, url in urls.items():
            if url is not None:
                engine = open_engine(url, wait_seconds=60)
                upgrade(engine)
                lines = [
                    webhooks(engine, given.webhooks),
                    *(sweeping(engine, given.interventions, one_in) for one_in in (100, 1)),
                ]
                note(f"dispatch_{name.lower()}", f"Deliveries and deadlines, {name}", lines)
                engine.dispose()


def webhooks(engine: sa.Engine, count: int) -> Line:
    ours, theirs = multiprocessing.Pipe()
    receiver = multiprocessing.get_context("spawn").Process(target=receive, args=(theirs,), daemon=True)
    receiver.start()
    url = f"http://127.0.0.1:{ours.recv()}/hook"
    told = InterventionSettings(
        channels={"crm": Channel(kind="webhook", url=url, secrets=(SECRET,), allow_private=True)}
    )
    data = {
        "intervention_id": "iv_1",
        "account_id": "A",
        "playbook": "win_back",
        "reason": "ordered nothing for 90 days",
    }
    messages = [Message("crm", "intervention.assigned", str(number), {"data": data}) for number in range(count)]
    with writing(engine) as connection:
        enqueue(connection, messages, now())
    begun, cpu = time.perf_counter(), time.process_time()
    found = dispatch_once(engine, told, {}, now)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    receiver.terminate()
    assert found.delivered == count, found
    said = f"{count / seconds * 60:,.0f} a minute; {cpu / count * 1000:.2f} ms of CPU each"
    return Line(f"{count:,} webhooks through one dispatcher", seconds, note=said)


def sweeping(engine: sa.Engine, count: int, one_in: int) -> Line:
    """So many open interventions, of which one in so many is due."""
    told = InterventionSettings(
        roles={"manager": Role(), "director": Role(members=("Dora",), channels=("mail",))},
        channels={"mail": Channel(kind="people", url="${MAIL}")},
    )
    for start in range(0, count, AT_ONCE):
        many = [
            NewIntervention(f"iv_{one_in}_{number}", f"A-{number}", "urgent", "sla", "manager", "Ada", "critical", "urgent case", DECIDED,
                  deadlines=(Deadline("claim", LATER if number % one_in else DUE, escalate_to="director"),))
            for number in range(start, min(start + AT_ONCE, count))
        ]  # fmt: skip
        with writing(engine) as connection:
            begin(connection, many, "the benchmark", DECIDED, told)
    begun, cpu = time.perf_counter(), time.process_time()
    found = sweep(engine, told, DUE)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    escalated = -(-count // one_in)
    assert found.escalated == escalated, found
    return Line(f"{count:,} interventions swept, {escalated:,} of them escalated", seconds, note=f"{cpu:.2f} s of CPU")


def receive(to: Connection) -> None:
    asyncio.run(_receive(to))


async def _receive(to: Connection) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, backlog=256)
    to.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            writer.write(ANSWER)
    except asyncio.IncompleteReadError:
        writer.close()


if __name__ == "__main__":
    main()
