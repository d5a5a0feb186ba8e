"""Commands for a person to type, for the same configuration as that of this run.

`tapeless` reads `config/config.yaml` as Snakemake does; what was given besides has to be given to
it again, or it looks after another route, runtime or file of images.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tapeless.hiding import hide_secrets_of_words

OPTIONS_VARIABLE = "TAPELESS_OPTIONS"
"""The environment variable that holds, for a run and its jobs, the options of its configuration."""


def tapeless(*words: str) -> str:
    """The command `tapeless <words>`, with the options of this run's configuration."""
    return " ".join(["tapeless", *words, *filter(None, [os.environ.get(OPTIONS_VARIABLE)])])


def join_options(configfiles: Iterable[Path], settings: Iterable[str]) -> str:
    """The options of `tapeless` for files (as short as they can be named from here) and keys.

    They are shown, so that secrets are left out.
    """
    options: list[str] = []
    for path in configfiles:
        is_below = path.is_relative_to(Path.cwd())
        options += ["--configfile", str(path.relative_to(Path.cwd()) if is_below else path)]
    for setting in hide_secrets_of_words(settings):
        options += ["--config", setting]
    return shlex.join(options)


@contextmanager
def with_options(options: str) -> Iterator[None]:
    """While the block runs, commands have these options."""
    before = os.environ.get(OPTIONS_VARIABLE)
    os.environ[OPTIONS_VARIABLE] = options
    try:
        yield
    finally:
        if before is None:
            del os.environ[OPTIONS_VARIABLE]
        else:
            os.environ[OPTIONS_VARIABLE] = before
