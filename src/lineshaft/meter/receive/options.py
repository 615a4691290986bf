"""What the receiver is asked to do, and what it counts."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lineshaft.errors import InputError, Problem

MB = 1 << 20

VDA5050_TOPICS = ("state", "connection", "order")
"""Topics of VDA 5050 that say what a robot was asked to do and did."""

VDA5050_PREFIXES = ("uagv/v2", "vda5050/v3")
"""First two topic levels as the standard suggests them, interface name and major version: 2.x
https://github.com/VDA5050/VDA5050/blob/2.1.0/VDA5050_EN.md (6.3), 3.0 (4.2)."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to receive, and into which log. `check` finds what is wrong."""

    log: Path
    """The log folder; made where it is not there."""
    host: str = "127.0.0.1"
    port: int = 4318
    """OTLP/HTTP's port; 0 takes a free one."""
    http: bool = True
    """Whether to listen for OTLP at all; a receiver of robots alone need not."""
    token: str = ""
    """Bearer token that requests must carry; empty: none is asked for."""
    token_file: Path | None = None
    """A file with the token, so that it does not stand on the command line."""
    insecure: bool = False
    """Listen beyond this machine although no token is asked for."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tenant: str = ""
    """Whose agents these are, where the source does not say."""
    max_body_mb: float = 16.0
    """A request may hold this much, before and after decompression."""
    max_queue_mb: float = 0.0
    """Memory for what is received and not yet on disk; beyond it requests are told to wait. 0: four
    times `max_body_mb`."""
    max_wal_mb: float = 4096.0
    """Disk for what is acknowledged and not yet drained; beyond it requests are told to wait."""
    min_free_mb: float = 256.0
    """Requests are told to wait while the disk has less than this, so that draining has room."""
    max_connections: int = 256
    idle_s: float = 75.0
    """A connection without a request is closed after this time."""
    request_s: float = 30.0
    """A request must have arrived in full after this time."""
    segment_mb: float = 8.0
    segment_s: float = 30.0
    """A segment of the write-ahead log is closed, and can be drained, at this size (uncompressed)
    or age."""
    drain: bool = True
    """Turn closed segments into events while receiving, in a process of low priority."""
    mqtt_host: str = ""
    """Broker of VDA 5050 messages; empty: none."""
    mqtt_port: int = 0
    """0: 1883, or 8883 with TLS."""
    mqtt_prefixes: tuple[str, ...] = VDA5050_PREFIXES
    """First levels of the topics, before manufacturer and serial number."""
    mqtt_topics: tuple[str, ...] = ()
    """Topic filters in full; empty: made from the prefixes."""
    mqtt_client_id: str = "lineshaft-meter"
    """The broker keeps messages for this name while the receiver is away."""
    mqtt_username: str = ""
    mqtt_password: str = ""
    mqtt_password_file: Path | None = None
    mqtt_tls: bool = False
    mqtt_ca: Path | None = None
    """Certificates to trust; None: those of the system."""
    tell: Callable[[str], None] | None = None
    """Told what happens, one line each."""
    ready: Callable[[int], None] | None = None
    """Told the port once requests are taken."""
    stop: threading.Event | None = None
    """Stops the receiver when set."""

    def check(self) -> None:
        """Raise InputError with every option that cannot be."""
        found = []

        def wrong(key: str, what: str, allowed: str = "", fix: str = "") -> None:
            found.append(Problem("", key, what, allowed, fix))

        for key in ("port", "mqtt_port"):
            if not 0 <= getattr(self, key) <= 65535:
                wrong(key, f"{getattr(self, key)}", "0 to 65535")
        for key in ("max_body_mb", "max_wal_mb", "segment_mb"):
            if not 0 < getattr(self, key) <= 1 << 20:
                wrong(key, f"{getattr(self, key)}", "more than 0, in MB")
        for key in ("idle_s", "request_s", "segment_s"):
            if not 0 < getattr(self, key) < 1e6:
                wrong(key, f"{getattr(self, key)}", "more than 0 seconds")
        if self.min_free_mb < 0:
            wrong("min_free_mb", f"{self.min_free_mb}", "0 or more")
        if self.max_connections < 1:
            wrong("max_connections", f"{self.max_connections}", "1 or more")
        if self.max_queue_mb and not self.max_body_mb <= self.max_queue_mb <= 1 << 20:
            wrong(
                "max_queue_mb", f"{self.max_queue_mb}", f"{self.max_body_mb} (max_body_mb) or more"
            )
        if not self.http and not self.mqtt_host:
            wrong("http", "neither OTLP nor a broker to receive from", fix="name a broker")
        if (self.tls_cert is None) != (self.tls_key is None):
            wrong("tls_cert", "certificate and key are not both given", "both or neither")
        if self.token and self.token_file is not None:
            wrong("token", "a token and a file with one", "one of them")
        for key in ("token_file", "mqtt_password_file", "mqtt_ca", "tls_cert", "tls_key"):
            path: Path | None = getattr(self, key)
            if path is not None and not path.is_file():
                wrong(key, f"{path}: no such file")
        if not found and not self.token.isascii():
            wrong("token", "not ASCII", "what an HTTP header can carry")
        if self.token_file is not None and self.token_file.is_file() and not self.secret():
            wrong("token_file", f"{self.token_file}: empty", "a token")
        if self.http and not self.local() and not (self.token or self.token_file or self.insecure):
            wrong(
                "host",
                f"{self.host} can be reached from other machines, and no token is asked for",
                fix="give a token, listen on 127.0.0.1, or say --insecure",
            )
        if found:
            raise InputError(found)

    def local(self) -> bool:
        """Whether only this machine can reach the address."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def secret(self) -> str:
        """The bearer token; empty where none is asked for."""
        return self.token if self.token_file is None else _secret(self.token_file)

    def mqtt_secret(self) -> str:
        """The broker's password."""
        file = self.mqtt_password_file
        return self.mqtt_password if file is None else _secret(file)

    def queue_bytes(self) -> int:
        """Memory for what is received and not yet on disk."""
        return int((self.max_queue_mb or 4 * self.max_body_mb) * MB)

    def topics(self) -> tuple[str, ...]:
        """Topic filters to subscribe to."""
        return self.mqtt_topics or tuple(
            f"{prefix.strip('/')}/+/+/{topic}"
            for prefix in self.mqtt_prefixes
            for topic in VDA5050_TOPICS
        )

    def say(self, text: str) -> None:
        """Tell what happens, where someone listens."""
        if self.tell is not None:
            self.tell(text)


def _secret(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


@dataclass(slots=True)
class Counts:
    """What a receiver did. Requests and messages count once they are acknowledged."""

    requests: int = 0
    spans: int = 0
    """Spans, log records and metrics acknowledged."""
    refused: int = 0
    """Spans without valid ids, in requests that were good otherwise."""
    rejected: int = 0
    """Requests answered with an error that a repetition does not mend."""
    waited: int = 0
    """Requests told to come again later."""
    messages: int = 0
    """MQTT messages acknowledged."""
    bytes: int = 0
    """Written to the write-ahead log."""
    drained: int = 0
    """Events drained into the log while receiving."""
    peak_bytes: int = 0
    """Most memory that bodies took at a time."""
