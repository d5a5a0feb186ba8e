"""What goes wrong with containers: the machine's fault, told in sentences that say what to do."""

from __future__ import annotations

from collections.abc import Sequence


class ContainerError(Exception):
    """A container could not do its work, and no video is to blame; the message says what to do.

    `code` is the word for it in the usage file: not_started, time_limit, failed, out_of_memory,
    disk_full or lost.
    """

    def __init__(self, message: str, code: str = "not_started") -> None:
        super().__init__(message)
        self.code = code


class ContainerFailedError(ContainerError):
    """The program in the container ended by itself, or was killed, with an exit status.

    `status` is that status (128 + n for a program killed by signal n), `last_lines` what the
    program said last.
    """

    def __init__(
        self, message: str, status: int, last_lines: Sequence[str], code: str = "failed"
    ) -> None:
        super().__init__(message, code)
        self.status = status
        self.last_lines = list(last_lines)
