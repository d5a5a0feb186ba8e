"""Writes down what made the results, beside them.

Reads nothing; writes one JSON file: versions, git commit, command line, configuration and machine.
It is written anew whenever the reports are. Nothing depends on it; of what it says, only the
configuration, images and weights are parameters of a rule, so that a new date or command line never
computes anything again.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tapeless
from tapeless.logs import job_log
from tapeless.provenance import PACKAGES, describe_run
from tapeless.writing import write_json

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

COMMAND_VARIABLE = "TAPELESS_COMMAND"
"""Environment variable in which the workflow hands its command line to its jobs."""


def main(
    provenance: Path,
    *,
    config: Mapping[str, Any],
    command: str | None,
    ingredients: Mapping[str, Any],
    has_cards: bool,
) -> None:
    """Describes this run."""
    content = describe_run(
        version=tapeless.__version__,
        command=command,
        config=config,
        repository=Path(tapeless.__file__).parents[2],
        packages=PACKAGES,
        now=datetime.now().astimezone(),
        ingredients=ingredients,
        has_cards=has_cards,
    )
    write_json(provenance, content)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            Path(snakemake.output.provenance),
            config=snakemake.params.config,
            command=os.environ.get(COMMAND_VARIABLE),
            ingredients=snakemake.params.ingredients,
            has_cards=snakemake.params.has_cards,
        )
