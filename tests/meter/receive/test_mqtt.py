"""Robots at a broker: what is acknowledged is kept, whatever broker and disk do meanwhile."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from lineshaft.meter.receive import Options, segments, wal
from lineshaft.meter.receive.frames import Frames, tenanted
from lineshaft.meter.receive.mqtt import parted

broker_of = pytest.importorskip("amqtt.broker", reason="no broker to test with")

STATE = "uagv/v2/maker/7/state"


class Broker:
    """A broker in a thread; who has a name has a lasting session."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        self.ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))
        self.thread.start()
        assert self.ready.wait(10)

    async def run(self) -> None:
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        plugin = "amqtt.plugins.authentication.AnonymousAuthPlugin"
        broker = broker_of.Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
                "plugins": {plugin: {"allow_anonymous": False}},
            }
        )
        await broker.start()
        self.ready.set()
        await self.over.wait()
        await broker.shutdown()

    def stop(self) -> None:
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.over.set)
            self.thread.join(10)


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    yield made
    made.stop()


@pytest.fixture
def robot(broker: Broker) -> Iterator[Callable[..., None]]:
    """Publishes with quality of service 1, and waits for the broker to have it."""
    clients: list[Client] = []

    def publish(*messages: tuple[str, Any], retain: bool = False) -> None:
        client = Client(CallbackAPIVersion.VERSION2, client_id=f"robot-{len(clients)}")
        client.username_pw_set("robot", "")
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        clients.append(client)
        for topic, said in messages:
            payload = said if isinstance(said, bytes) else json.dumps(said).encode()
            client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5)

    yield publish
    for client in clients:
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def listening(receiver: Callable[..., Any], broker: Broker) -> Callable[..., Any]:
    """A receiver that has subscribed."""

    def start(**options: Any) -> Any:
        running = receiver(
            http=False, mqtt_host="127.0.0.1", mqtt_port=broker.port,
            **{"mqtt_username": "meter", **options},
        )  # fmt: skip
        until(lambda: any("subscribed" in line for line in running.told))
        return running

    return start


def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


def kept(log: Path) -> list[tuple[str, bytes]]:
    folder = segments.folder_of(log)
    paths = [*segments.listed(folder, ".wal"), *segments.listed(folder, ".open")]
    frames = [frame for path in paths for frame in tenanted(Frames(path.read_bytes()))]
    return [parted(bytes(frame.body)) for frame in frames]


def test_messages_are_kept_in_their_order(listening: Any, robot: Any) -> None:
    running = listening()
    said = [(f"uagv/v2/maker/{n % 3}/state", {"headerId": n}) for n in range(60)]
    robot(*said, ("uagv/v2/maker/1/visualization", {}), ("vda5050/v3/maker/9/order", {"v": 3}))
    until(lambda: len(kept(running.log)) == 61)
    found = kept(running.log)
    assert [(topic, json.loads(payload)) for topic, payload in found[:-1]] == said
    assert found[-1][0] == "vda5050/v3/maker/9/order"
    assert running.stop().messages == 61


def test_topics_of_ones_own(listening: Any, robot: Any) -> None:
    running = listening(mqtt_prefixes=("plant/halle-3/v2",))
    robot((STATE, {"no": 1}), ("plant/halle-3/v2/maker/7/state", {"yes": 1}))
    until(lambda: len(kept(running.log)) == 1)
    assert kept(running.log)[0][0] == "plant/halle-3/v2/maker/7/state"


def test_nothing_is_acknowledged_while_the_disk_is_full(
    listening: Any, robot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    acknowledged: list[int] = []
    acknowledge = Client.ack

    def ack(self: Client, mid: int, qos: int) -> Any:
        acknowledged.append(mid)
        return acknowledge(self, mid, qos)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Client, "ack", ack)
    monkeypatch.setattr("lineshaft.meter.receive.mqtt.PAUSE_S", 0.05)
    running = listening()
    with monkeypatch.context() as patch:
        patch.setattr("lineshaft.meter.receive.writer.os.fdatasync", full)
        robot(*((STATE, {"headerId": n}) for n in range(5)))
        until(lambda: any("No space left" in line for line in running.told))
        time.sleep(0.2)
        assert acknowledged == []
    until(lambda: len(acknowledged) == 5)
    assert [json.loads(payload)["headerId"] for _, payload in kept(running.log)] == list(range(5))


def test_the_broker_keeps_messages_while_the_receiver_is_away(listening: Any, robot: Any) -> None:
    listening().stop()
    robot(*((STATE, {"headerId": n}) for n in range(10)))
    running = listening()
    until(lambda: len(kept(running.log)) == 10)


def test_a_broker_that_restarts(listening: Any, robot: Any, broker: Broker) -> None:
    running = listening()
    robot((STATE, {"headerId": 1}))
    until(lambda: len(kept(running.log)) == 1)
    broker.stop()
    until(lambda: any("connection lost" in line for line in running.told))
    broker.start()
    until(lambda: running.told[-1].startswith("mqtt: subscribed"), 20)
    robot((STATE, {"headerId": 2}))
    until(lambda: len(kept(running.log)) == 2)


def test_a_broker_that_is_not_there_yet(
    receiver: Callable[..., Any], robot: Any, broker: Broker
) -> None:
    broker.stop()
    running = receiver(
        http=False, mqtt_host="127.0.0.1", mqtt_port=broker.port, mqtt_username="meter"
    )
    until(lambda: any("no broker" in line for line in running.told))
    broker.start()
    until(lambda: any("subscribed" in line for line in running.told), 20)
    robot((STATE, {"headerId": 1}))
    until(lambda: len(kept(running.log)) == 1)


def test_a_broker_that_refuses(receiver: Callable[..., Any], broker: Broker) -> None:
    running = receiver(http=False, mqtt_host="127.0.0.1", mqtt_port=broker.port)
    until(lambda: any("refuse" in line or "lost" in line for line in running.told))
    assert running.stop().messages == 0


def test_oversized_messages_are_counted_and_told(listening: Any, robot: Any) -> None:
    running = listening(max_body_mb=0.001)
    robot((STATE, bytes(5000)), (STATE, {"headerId": 1}))
    until(lambda: len(kept(running.log)) == 1)
    assert any("is not kept" in line for line in running.told)
    assert running.stop().refused == 1


def test_topic_filters(tmp_path: Path) -> None:
    assert Options(log=tmp_path, mqtt_host="b").topics() == (
        "uagv/v2/+/+/state", "uagv/v2/+/+/connection", "uagv/v2/+/+/order",
        "vda5050/v3/+/+/state", "vda5050/v3/+/+/connection", "vda5050/v3/+/+/order",
    )  # fmt: skip
    assert Options(log=tmp_path, mqtt_topics=("a/#",)).topics() == ("a/#",)


def test_an_order_done_is_accepted_by_the_warehouse(
    listening: Any, robot: Any, tmp_path: Path
) -> None:
    """From the robot's message over the broker to a daily active agent."""
    from lineshaft.meter.read import read

    def state(number: int, second: int, order: str, nodes: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "headerId": number, "timestamp": f"2026-09-21T12:00:{second:02d}Z", "version": "2.1.0",
            "manufacturer": "maker", "serialNumber": "7", "orderId": order, "orderUpdateId": 0,
            "nodeStates": nodes, "edgeStates": [], "actionStates": [], "errors": [],
            "driving": bool(nodes), "operatingMode": "AUTOMATIC", "lastNodeId": "n",
            "lastNodeSequenceId": 0,
        }  # fmt: skip

    node = {"nodeId": "n2", "sequenceId": 2, "released": True}
    running = listening()
    robot(
        *((STATE, state(1, 1, "order-1", [node])), (STATE, state(2, 10, "order-1", []))),
        *((STATE, state(3, 20, "order-2", [node])), (STATE, state(4, 30, "order-2", []))),
        (STATE, state(4, 30, "order-2", [])),  # once more, as QoS 1 may
    )
    until(lambda: len(kept(running.log)) == 5)
    running.stop()
    alone = read(running.log)
    assert [int(grade.active.sum()) for grade in alone.measures.grades] == [0, 0, 0]
    outcomes = tmp_path / "confirmations.csv"
    outcomes.write_text(
        "task_id,outcome,ts,method,human_equiv_min\n"
        "order-1,accepted,2026-09-21T12:05:00Z,verifier,6\n"
    )
    joined = read(running.log, outcomes=outcomes)
    assert joined.agents.agent_id == ("maker/7",)
    assert [int(grade.active.sum()) for grade in joined.measures.grades] == [1, 1, 1]
    assert [int(grade.accepted.sum()) for grade in joined.measures.grades] == [1, 1, 1]
    assert joined.coverage.root_tasks == 2
    assert wal.drain(running.log) == 0
