"""What a run is about to do: its configuration, its videos, its jobs, and where they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from tapeless.configuration import Schema, find_config_faults, find_faults, with_defaults
from tapeless.containers.images import locate_images
from tapeless.doctor.findings import Finding, failed
from tapeless.needs import Needs, find_needs
from tapeless.own_tables import read_table
from tapeless.videosheet import Video, read_videos

USUAL_CONFIG = Path("config/config.yaml")

_MANUAL = "config/README.md"


@dataclass(frozen=True)
class Situation:
    """What checks look at; folders are relative to the one in which Snakemake runs.

    Attributes:
        config: the configuration, defaults filled in and without faults of form.
        project: the folder of the workflow's code.
        videos: the videos to measure, by id.
        results: the folder of results.
        resources: the folder of what is prepared once.
        rules: names of the rules that have jobs to run; None for all of the chosen route.
        has_own_environments: whether Snakemake makes the environments of the jobs (--use-conda).
        is_elsewhere: whether jobs run on other machines than this one.
        recalls: whether jobs of any rule sample frames again that were forgotten.
        at_once: so many jobs are at work at a time, at most; None for as many as this machine has
            cores.
        cards: so many graphics cards of this machine jobs may take at a time.
    """

    config: Mapping[str, Any]
    project: Path
    videos: Mapping[str, Video] = field(default_factory=dict)
    results: Path = Path("results")
    resources: Path = Path("resources")
    rules: frozenset[str] | None = None
    has_own_environments: bool = False
    is_elsewhere: bool = False
    recalls: bool = False
    at_once: int | None = None
    cards: int = 1

    def runs(self, *rules: str) -> bool:
        """Whether one of these rules has a job to run."""
        return self.rules is None or not self.rules.isdisjoint(rules)

    @property
    def veil(self) -> str | None:
        """Why packages and tools of this process say nothing about those of its jobs, if so."""
        if self.has_own_environments:
            return "jobs have environments that Snakemake makes"
        return "jobs run on other machines" if self.is_elsewhere else None

    @property
    def needs(self) -> dict[str, Needs]:
        """What its jobs need, by their rule; what forgotten frames take is that of sampling."""
        needed = find_needs(self.config)
        found = {rule: needs for rule, needs in needed.items() if self.runs(rule)}
        if self.recalls:  # on the CPU
            found.setdefault("sample_frames", replace(needed["sample_frames"], card=None))
        return found

    @property
    def programs(self) -> list[str]:
        """The programs of containers that its jobs run: keys of `containers.images`."""
        return [needs.program for needs in self.needs.values() if needs.program]


def read_situation(
    project: Path,
    configfiles: Sequence[Path] = (),
    settings: Mapping[str, Any] | None = None,
    has_own_environments: bool = False,
) -> tuple[Situation | None, list[Finding]]:
    """What `snakemake --configfile ... --config ...` would do here, and what bars its way.

    The files are merged as Snakemake does it: over `config/config.yaml`, later ones over earlier
    ones, groups key by key; `settings` go over all of them. There is no situation if the
    configuration cannot be understood.
    """
    config: dict[str, Any] = {}
    faults: list[Finding] = []
    for path in (USUAL_CONFIG, *configfiles):
        try:
            merge(config, _read_mapping(path))
        except (OSError, ValueError, yaml.YAMLError) as error:
            if path != USUAL_CONFIG or not (configfiles and isinstance(error, FileNotFoundError)):
                faults.append(failed("configuration", f"{path}: {_explain(error)}", _MANUAL))
    if faults:
        return None, faults
    merge(config, settings or {})
    schema = _read_schema(project, "config")
    config = with_defaults(config, schema)
    if sentences := find_faults(config, schema):
        return None, _as_findings("configuration", sentences)
    folders = {"results": "results", "resources": "resources", **config.get("pathvars", {})}
    videos, video_faults = read_videos(config, _read_schema(project, "videos"), folders.values())
    config["containers"] = locate_images(config["containers"], project)
    situation = Situation(
        config,
        project,
        videos,
        Path(folders["results"]),
        Path(folders["resources"]),
        has_own_environments=has_own_environments,
    )
    faults = _as_findings("configuration", find_config_faults(config, schema))
    return situation, faults + _as_findings("videos", video_faults)


def merge(config: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Puts what `other` says over `config`, groups key by key, as Snakemake does."""
    for key, value in other.items():
        if isinstance(value, Mapping):
            group = config.get(key)
            config[key] = dict(group) if isinstance(group, Mapping) else {}
            merge(config[key], value)
        else:
            config[key] = value


def _read_mapping(path: Path) -> Mapping[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if content is None:  # Snakemake would refuse it, too
        raise ValueError("it is empty: write {} into it if nothing is to differ")
    if not isinstance(content, Mapping):
        raise ValueError("it must hold keys and values")
    return content


def _read_schema(project: Path, name: str) -> Schema:
    return read_table(project / "schemas" / f"{name}.schema.yaml")


def _explain(error: Exception) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)


def _as_findings(name: str, sentences: Iterable[str]) -> list[Finding]:
    return [failed(name, sentence, _MANUAL) for sentence in sentences]
