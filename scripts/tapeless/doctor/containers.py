"""Docker, Apptainer or the host itself: there, allowed to this user, and with the images pinned.

What a job's own preparation says is what is found here, so that both are equally strict.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tapeless.containers import ContainerError, Job, Mount, load_images, pinned_digest, read_digest
from tapeless.containers.images import ImageEntry, find_entry
from tapeless.containers.jobs import Plan, make_plan
from tapeless.doctor.findings import Finding, Verdict, ask, failed, ok, unknown
from tapeless.doctor.situation import Situation
from tapeless.hints import tapeless

DOCKER_LIMIT_S = 10
"""How long the daemon may take to say who it is."""

_KEYS = "config/README.md, keys containers.*"
_PAGE = "docs/reference-route.md"
_DIGITS = len("sha256:") + 12


def check_containers(situation: Situation) -> Iterator[Finding]:
    """The runtime, what every container sees, and the image of each program that jobs run."""
    if not situation.programs:
        return
    settings = situation.config["containers"]
    try:
        entries = load_images(Path(settings["images"]))
    except ContainerError as error:
        yield failed("images", str(error), _KEYS)
        return
    programs = [program for program in situation.programs if program in entries]
    for program in set(situation.programs) - set(programs):
        yield failed("images", f"{settings['images']} has no entry {program}", _KEYS)
    if situation.is_elsewhere:
        yield from (_check_pin(program, settings) for program in programs)
    elif programs:
        yield from _check_here(situation, programs, settings)


def _check_here(
    situation: Situation, programs: Sequence[str], settings: Mapping[str, Any]
) -> Iterator[Finding]:
    runtime = _check_runtime(settings)
    yield runtime
    try:
        plans = [_plan(program, settings) for program in programs]
    except ContainerError as error:
        yield failed("volumes", str(error), _KEYS)
        return
    yield ok("volumes", _describe_volumes(plans[0], settings))
    yield from _check_memory(settings["memory_mb"])
    if runtime.verdict is not Verdict.OK:
        yield from (_check_pin(program, settings) for program in programs)
        return
    yield from (_check_image(plan, settings["pull"]) for plan in plans)
    if settings["runtime"] == "docker" and _asks_for_cards(situation):
        from tapeless.doctor.nvidia import check_nvidia  # needs Docker's library, as Docker does

        yield check_nvidia(plans[0].labels)


def _check_memory(asked_mb: int) -> Iterator[Finding]:
    """A limit that this machine cannot keep: nothing ends a job before the kernel ends others."""
    memory_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    if asked_mb > memory_mb:
        found = f"containers.memory_mb is {asked_mb}, and this machine has {memory_mb} MB"
        yield unknown("memory", found, "containers.memory_mb: less than that")


def _plan(program: str, settings: Mapping[str, Any]) -> Plan:
    """As that of a job, but for its files; it fetches no image."""
    job = Job(program, (), (Mount(Path.cwd(), writable=True),), {"rule": "doctor", "video": ""})
    return make_plan(job, {**settings, "pull": False})


def _describe_volumes(plan: Plan, settings: Mapping[str, Any]) -> str:
    own = [bind.source for bind in plan.binds if bind.source != str(Path.cwd())]
    file = settings["mounts_file"]
    is_there = file is not None and Path(file).expanduser().exists()
    return f"{', '.join(own) or 'none'} (with {file})" if is_there else ", ".join(own) or "none"


def _check_runtime(settings: Mapping[str, Any]) -> Finding:
    match settings["runtime"]:
        case "docker":
            return _check_docker()
        case "apptainer":
            return _check_apptainer()
    return ok("runtime", "this machine itself")


def _check_docker() -> Finding:
    try:
        from tapeless.containers import docker
    except ImportError as error:  # it may be in the environments of the jobs
        return unknown("Docker", f"not asked: {error}", "make setup")
    try:
        with docker.connect(DOCKER_LIMIT_S) as client:
            return ok("Docker", client.version()["Version"])
    except ContainerError as error:
        return _fault("Docker", error, _PAGE)


def _check_apptainer() -> Finding:
    path = shutil.which("apptainer")
    if path is None:
        remedy = f"module load apptainer, or containers.runtime: docker; {_PAGE}"
        return failed("Apptainer", "not installed", remedy)
    answer = ask([path, "--version"])
    if answer.status != 0:
        return failed("Apptainer", f"{path} does not run: {answer.last_words}", _PAGE)
    return ok("Apptainer", f"{answer.output.strip()} ({path})")


def _check_pin(program: str, settings: Mapping[str, Any]) -> Finding:
    """What can be told of an image without its runtime."""
    name = f"image {program}"
    if settings["runtime"] != "host" and pinned_digest(program, settings) is None:
        return _no_digest(find_entry(program, settings), settings)
    return unknown(name, "not looked for")


def _no_digest(entry: ImageEntry, settings: Mapping[str, Any]) -> Finding:
    return failed(f"image {entry.name}", f"no digest in {settings['images']}", _get_image(entry))


def _fault(name: str, error: ContainerError, page: str) -> Finding:
    """What a job would say, but for the page, which stands at the end of each line."""
    mention = rf"(: {re.escape(page)} says how| \({re.escape(page)}\))"
    return failed(name, re.sub(mention, "", str(error)), page)


def _get_image(entry: ImageEntry) -> str:
    """What makes an image one that jobs run."""
    return f"{entry.page}, then {tapeless('pin', entry.name)}"


def _check_image(plan: Plan, may_pull: bool) -> Finding:
    """What a job would find, by what it would do."""
    settings, entry = plan.settings, plan.entry
    name = f"image {entry.name}"
    is_image = settings["runtime"] != "host"
    if is_image and pinned_digest(entry.name, settings) is None:
        return _no_digest(entry, settings)
    try:
        found = importlib.import_module(f"tapeless.containers.{settings['runtime']}").prepare(plan)
    except ContainerError as error:
        if may_pull and not _is_named_here(plan):
            return unknown(name, f"{entry.docker.image} is not here; the first job fetches it")
        if is_image:
            return failed(name, str(error), _get_image(entry))
        return _fault(name, error, entry.page)
    if found.digest is None:
        return ok(f"program {entry.name}", " ".join(entry.host_program or ()))
    return ok(name, f"{found.image} {found.digest[:_DIGITS]}")


def _is_named_here(plan: Plan) -> bool:
    """Whether an image of that name, pinned or not, is here; if it is, none is fetched."""
    try:
        return read_digest(plan.entry.name, plan.settings) is not None
    except ContainerError:
        return False


def _asks_for_cards(situation: Situation) -> bool:
    """Whether one of the containers is to have a card."""
    return any(needs.program and needs.card for needs in situation.needs.values())
