"""VDA 5050 from an MQTT broker: a message is acknowledged once it is in the write-ahead log.

The session lasts at the broker (clean session off), so that what is published with quality of
service 1 while the receiver is away comes when it is back. Messages are written in the order of
their arrival, each group before the next.
"""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from lineshaft.errors import InputError, Problem
from lineshaft.meter.receive.frames import MQTT, Frame
from lineshaft.meter.receive.options import MB, Counts, Options
from lineshaft.meter.receive.writer import BusyError, Writer

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

MOST_QUEUED = 10_000
"""Messages in memory; the broker waits beyond that."""
MOST_TOGETHER = 1_000
LONGEST_WAIT_S = 60
KEEPALIVE_S = 30
PAUSE_S = 1.0
"""Between attempts to write while the disk is full."""


def body(topic: str, payload: bytes) -> bytes:
    """A message as a frame keeps it."""
    return topic.encode() + b"\n" + payload


def parted(kept: bytes) -> tuple[str, bytes]:
    """Topic and payload of a frame's body."""
    topic, _, payload = kept.partition(b"\n")
    return topic.decode(), payload


class Subscriber:
    """A subscription that goes on until it is stopped, over whatever the broker does."""

    def __init__(self, options: Options, writer: Writer, counts: Counts) -> None:
        self.options, self.writer, self.counts = options, writer, counts
        self.most = int(options.max_body_mb * MB)
        self.connected = threading.Event()
        """Set while subscribed."""
        self._stopping = threading.Event()
        self._arrived: queue.Queue[MQTTMessage] = queue.Queue(MOST_QUEUED)
        self._told = ""
        self.client = self._client()
        self._threads = [
            threading.Thread(target=self._listen, name="mqtt", daemon=True),
            threading.Thread(target=self._keep, name="mqtt-keep", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Acknowledge what is written, leave the rest to the broker, and end."""
        self._stopping.set()
        self._threads[1].join()
        self.client.disconnect()
        self._threads[0].join(KEEPALIVE_S)

    def _client(self) -> Client:
        from paho.mqtt.client import Client, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        options = self.options
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.mqtt_client_id,
            clean_session=False,
            protocol=MQTTv311,
            manual_ack=True,
        )
        if options.mqtt_username:
            client.username_pw_set(options.mqtt_username, options.mqtt_secret() or None)
        if options.mqtt_tls:
            try:
                client.tls_set(ca_certs=None if options.mqtt_ca is None else str(options.mqtt_ca))
            except OSError as error:
                raise InputError(Problem("", "mqtt_ca", f"{options.mqtt_ca}: {error}")) from error
        client.reconnect_delay_set(1, LONGEST_WAIT_S)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _listen(self) -> None:
        """Connect, and connect again, with growing pauses."""
        options, pause = self.options, 1.0
        port = options.mqtt_port or (8883 if options.mqtt_tls else 1883)
        while not self._stopping.is_set():
            try:
                self.client.connect(options.mqtt_host, port, KEEPALIVE_S)
            except (OSError, ValueError) as error:
                self._say(f"no broker at {options.mqtt_host}:{port}: {error}")
            else:
                pause = 1.0
                self.client.loop_forever(retry_first_connection=False)
            self._stopping.wait(pause)
            pause = min(2 * pause, LONGEST_WAIT_S)

    def _keep(self) -> None:
        """Write what has arrived, then acknowledge it."""
        while not self._stopping.is_set():
            try:
                group = [self._arrived.get(timeout=0.2)]
            except queue.Empty:
                continue
            while len(group) < MOST_TOGETHER and not self._arrived.empty():
                group.append(self._arrived.get())
            now_us = time.time_ns() // 1000
            frames = [Frame(MQTT, 0, now_us, body(m.topic, bytes(m.payload))) for m in group]
            while not self._write(frames):
                if self._stopping.wait(PAUSE_S):
                    return
            for message in group:
                self.client.ack(message.mid, message.qos)
            self.counts.messages += len(group)

    def _write(self, frames: list[Frame]) -> bool:
        """Whether all are on disk. Some may be there of a group that failed: it is written again,
        and the copies are dropped as replays."""
        try:
            futures = [self.writer.append(frame) for frame in frames]
        except BusyError as error:
            self._say(str(error))
            return False
        wait(futures)
        failed = [found for future in futures if (found := future.exception()) is not None]
        if failed:
            self._say(str(failed[0]))
        return not failed

    def _say(self, text: str) -> None:
        """Tell a state once, however often it is found again."""
        if text != self._told:
            self._told = text
            self.options.say(f"mqtt: {text}")

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _: Any) -> None:
        if reason.is_failure:
            self._say(f"the broker refuses: {reason}")
            client.disconnect()
            return
        client.subscribe([(topic, 1) for topic in self.options.topics()])

    def _on_subscribe(self, _client: Client, _data: Any, _mid: int, codes: Any, _: Any) -> None:
        refused = [
            topic
            for topic, code in zip(self.options.topics(), codes, strict=False)
            if code.is_failure
        ]
        if refused:
            self._say(f"the broker refuses {', '.join(refused)}")
        if len(refused) < len(codes):
            self.connected.set()
            self._say(f"subscribed at {self.options.mqtt_host}")

    def _on_disconnect(self, _c: Client, _data: Any, _flags: Any, reason: Any, _: Any) -> None:
        self.connected.clear()
        if not self._stopping.is_set():
            self._say(f"connection lost: {reason}")

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        if len(message.payload) > self.most:
            self._say(f"{message.topic}: a message of {len(message.payload)} bytes is not kept")
            client.ack(message.mid, message.qos)
            self.counts.refused += 1
            return
        while not self._stopping.is_set():
            try:
                self._arrived.put(message, timeout=0.5)
            except queue.Full:  # the broker waits meanwhile
                continue
            return
