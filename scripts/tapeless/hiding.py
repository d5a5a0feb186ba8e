"""What nobody else should read is left out of commands and configurations that are written down.

Secrets are the variables of the containers (`containers.environment`), which may be tokens, the
values of options such as `--storage-s3-secret-key`, and a password in an address.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "(hidden)"
"""What stands in the place of what nobody else should read."""

_SECRET_OPTION = re.compile(
    r"--.*(secret|passw|passphrase|token|credential|auth|-key$)", re.IGNORECASE
)
_BEGUN_OPTION = re.compile(r"--storage-[^-]+-(.+)")
"""Snakemake takes the beginning of an option for all of it, if no other one begins so."""
_SECRETS = ("access-key", "auth", "credentials", "password", "secret-key", "token")
_PASSWORD = re.compile(r"(://[^/:@\s]*:)[^/\s]+@")  # which may hold an @ of its own
_VARIABLES = re.compile(r"(.*?containers)\s*[=:].*environment.*", re.DOTALL)
"""The setting of a group of the configuration, however it is joined to its option: `--config=`,
`-C`, `-nC`."""


def hide_secrets(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without the values of the containers' variables."""
    containers = config["containers"]
    hidden = dict.fromkeys(containers["environment"], HIDDEN)
    return {**config, "containers": {**containers, "environment": hidden}}


def hide_secrets_of_command(command: str) -> str:
    """A command line without its secrets; options that take several values lose all of them."""
    return shlex.join(hide_secrets_of_words(shlex.split(command)))


def hide_secrets_of_words(words: Iterable[str]) -> list[str]:
    """The words of a command line, of which those that are or hold secrets are cut short."""
    told: list[str] = []
    is_secret = False
    for word in words:
        name, equals, _ = word.partition("=")
        if word.startswith("--"):
            is_secret = _is_secret(name)
            if is_secret and equals:
                word, is_secret = f"{name}={HIDDEN}", False
        elif word.startswith("-"):
            is_secret = False
        elif is_secret:
            word = HIDDEN
        word = _VARIABLES.sub(rf"\1={HIDDEN}", word)
        told.append(_PASSWORD.sub(rf"\1{HIDDEN}@", word))
    return told


def _is_secret(option: str) -> bool:
    begun = _BEGUN_OPTION.fullmatch(option)
    is_begun = begun is not None and any(secret.startswith(begun[1]) for secret in _SECRETS)
    return is_begun or _SECRET_OPTION.match(option) is not None
