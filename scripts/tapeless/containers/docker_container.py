"""A container of Docker at work: what it says, whether it has ended, and what it uses."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import docker
import requests
from docker.errors import DockerException

from tapeless.containers.supervision import Exit

_CHUNK_BYTES = 1 << 16
_MB = 1 << 20
_HEADER = struct.Struct(">BxxxL")


class Container:
    """A container that this process listens to, from before its start.

    Raises:
        docker.errors.APIError: from here and from `poll`, if there is no such container.
    """

    def __init__(self, client: docker.DockerClient, name: str) -> None:
        self._api = client.api
        self._name = name
        self._frames = _Frames()
        self._said: Any = self._api.attach_socket(name, {"stdout": 1, "stderr": 1, "stream": 1})

    def fileno(self) -> int:
        """What can be waited on for output."""
        return int(self._said.fileno())

    def read(self) -> list[tuple[int, bytes]] | None:
        """What it said, by stream; None when it says no more."""
        data = self._said.read(_CHUNK_BYTES)
        return list(self._frames.feed(data)) if data else None

    def poll(self) -> Exit | None:
        """How it ended; None while it runs."""
        state = self._api.inspect_container(self._name)["State"]
        if state["Status"] not in ("exited", "dead"):
            return None
        return Exit(int(state["ExitCode"]), bool(state["OOMKilled"]))

    def memory_mb(self) -> float | None:
        """What cannot be given back: without the cache of files, but with shared memory."""
        try:
            stats = self._api.stats(self._name, stream=False, one_shot=True)
            parts = stats["memory_stats"]["stats"]
            # The control groups' version 1 has the sums with those below it under other names.
            names = [n for n in ("total_active_anon", "total_inactive_anon") if n in parts]
            return float(sum(parts[n] for n in names or ("active_anon", "inactive_anon"))) / _MB
        except (DockerException, requests.RequestException, KeyError, json.JSONDecodeError):
            return None  # it ends just now

    def hang_up(self) -> None:
        """Reads no more of what it says; the daemon would wait for that with its removal."""
        with suppress(OSError):
            getattr(self._said, "_sock", self._said).shutdown(socket.SHUT_RDWR)
        self._said.close()


class _Frames:
    """Cuts what Docker sends into what the container said on each stream.

    Each frame is a header of 8 bytes, the stream and the length of what follows, and that.
    """

    def __init__(self) -> None:
        self._header = b""
        self._stream = 0
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Takes in the next bytes; gives what they hold, with its stream."""
        while data:
            if not self._left:
                wanted = _HEADER.size - len(self._header)
                self._header += data[:wanted]
                data = data[wanted:]
                if len(self._header) == _HEADER.size:
                    self._stream, self._left = _HEADER.unpack(self._header)
                    self._header = b""
                continue
            part, data = data[: self._left], data[self._left :]
            self._left -= len(part)
            yield self._stream, part
