"""Lets things go wrong around a run: a full disk, one that cannot be written to, files that change.

Every fault takes a workplace, in which something is still to be done or all is, brings its trouble
over it, takes it away again, and lets a run end. What was said meanwhile is in the run's log.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import psutil
from workplace import Workplace, differences

log = logging.getLogger(__name__)

STAGES = {
    "sample_frames": "frames/",
    "estimate_pose": "pose/",
    "select_keypoints": "keypoints/",
    "segment_person": "silhouettes/",
    "blur_faces": "pictures/",
    "estimate_shape": "bodies/",
    "measure_bodies": "measurements/",
    "check_video": "checks.csv",
    "summarize_video": "statistics.csv",
    "draw_video": "sheet.png",
}
"""The rules of a video in their order, with the folder or file that each makes."""

TABLES = "collect_reports"
"""The rule that follows, for all videos."""

READ_AGAIN = {
    "frames.csv": "keypoints",
    "pose": "keypoints",
    "camera.json": "bodies",
    "measurements": "statistics.csv",
    "checks.csv": "statistics.csv",
    "keypoints": "sheet.png",
    "silhouettes": "sheet.png",
    "pictures": "sheet.png",
    "bodies": "sheet.png",
    "statistics.csv": "sheet.png",
    "outcome.json": "sheet.png",
}
"""Of a finished video: what may be damaged, and what has to be gone so that it is read again."""

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")

ROOMY_MB = 3000
"""A disk that is large enough to start on."""

_PATIENCE_S = 600
_DAY_S = 86_400


@dataclass(frozen=True)
class Survived:
    """How it ended: what each disturbed run's exit status was, what the last one's was, and which
    files are then not as they would have been."""

    fault: str
    disturbed: tuple[int, ...]
    last: int
    differing: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        """Whether all ended as if nothing had been."""
        return self.last == 0 and not self.differing


def hurt_all(place: Workplace, clip: Path) -> Iterator[Survived]:
    """Brings every fault over a run on one video, each in a workplace that is laid out anew."""
    undisturbed = Workplace(place.folder.with_name("undisturbed"), place.cores, place.resources)
    undisturbed.lay_out([clip])
    assert undisturbed.run() == 0, undisturbed.said()[-4000:]
    wanted = undisturbed.reports()
    of_video = place.results / "videos" / clip.name

    def posed() -> bool:
        return (of_video / "pose/outcome.json").exists()

    place.lay_out([clip])
    yield fill_disk(place, clip.name, wanted)
    yield damage_stages(place, clip.name, wanted)
    for fault in (take_away_writing, turn_back_clock):
        place.lay_out([clip])
        yield fault(place, wanted, posed)
    for change in (truncated, replaced, deleted):
        place.lay_out([clip])
        yield change_video(place, wanted, place.folder / "videos" / clip.name, change)


def finish(
    fault: str, place: Workplace, undisturbed: Mapping[str, bytes], *disturbed: int
) -> Survived:
    """Lets a last run end, and compares what there is with the files of an undisturbed one."""
    last = place.run()
    return Survived(fault, disturbed, last, tuple(differences(place.reports(), undisturbed)))


@contextmanager
def small_disk(place: Workplace, megabytes: float) -> Iterator[Callable[[float], None]]:
    """Puts the whole workplace on a disk of its own; gives a function that sets its size in MB.

    Raises:
        subprocess.CalledProcessError: if this user may not mount one.
    """
    kept = place.folder.with_name(f"{place.folder.name}.kept")
    place.folder.rename(kept)
    place.folder.mkdir()

    def mount(*options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", place.folder], check=True)

    mount("-o", f"size={int(megabytes * 1e6)}")
    try:
        subprocess.run(["cp", "-a", f"{kept}/.", place.folder], check=True)
        yield lambda size: mount("-o", f"remount,size={int(size * 1e6)}")
        shutil.rmtree(kept)
        subprocess.run(["cp", "-a", f"{place.folder}/.", kept], check=True)
    finally:
        subprocess.run(["umount", "--lazy", place.folder], check=True)
        place.folder.rmdir()
        kept.rename(place.folder)


def fill_disk(place: Workplace, video: str, undisturbed: Mapping[str, bytes]) -> Survived:
    """The disk is full in the middle of each stage of a video, one after the other.

    A tenth of what the stage is known to write is left when it begins, or nothing, if that is less
    than a page of memory. The last one is that of the tables.
    """
    statuses = []
    with small_disk(place, ROOMY_MB) as resize:
        for rule, made in STAGES.items():
            log_file = place.results / "logs" / rule / f"{video}.log"
            size = _size_of(f"videos/{video}/{made}", undisturbed)
            statuses.append(_fill_disk_in(place, resize, rule, log_file, size / 10))
        log_file = place.results / "logs" / f"{TABLES}.log"
        statuses.append(_fill_disk_in(place, resize, TABLES, log_file, 0))
        return finish("disk full in each stage, and in the tables", place, undisturbed, *statuses)


def _fill_disk_in(
    place: Workplace, resize: Callable[[float], None], rule: str, log_file: Path, left: float
) -> int:
    """The exit status of a run up to a rule, whose job finds so many bytes left on the disk."""
    place.run("--until", *_before(rule))
    trouble = partial(fill_up, place, resize, left // PAGE_SIZE * PAGE_SIZE)
    status = disturb(place, log_file.exists, trouble, "--until", rule)
    resize(ROOMY_MB)
    return status


def _size_of(made: str, results: Mapping[str, bytes]) -> int:
    return sum(len(data) for name, data in results.items() if name.startswith(made))


def fill_up(place: Workplace, resize: Callable[[float], None], left: float) -> None:
    """Makes a small disk so small that but a few bytes are left."""
    resize((shutil.disk_usage(place.folder).used + left) / 1e6)


def _before(rule: str) -> list[str]:
    rules = [*STAGES, TABLES]
    return rules[: rules.index(rule)] or ["build_shape_space"]


def take_away_writing(
    place: Workplace, undisturbed: Mapping[str, bytes], happened: Callable[[], bool]
) -> Survived:
    """Nothing in the results can be made, changed or removed any more, from the middle of a run on.

    By an attribute of files that binds root, too: a disk with open files is not made read-only.
    """

    def change(attribute: str) -> None:
        subprocess.run(["chattr", "-R", attribute, place.results], check=True)

    try:
        status = disturb(place, happened, lambda: change("+i"))
        also = place.run()
    finally:
        change("-i")  # or nobody could ever remove them
    return finish("results become read-only", place, undisturbed, status, also)


def disturb(
    place: Workplace, happened: Callable[[], bool], trouble: Callable[[], object], *arguments: str
) -> int:
    """A run into which trouble comes once something has happened; its exit status.

    Its jobs are held until the trouble is there, or they might be done before.

    Raises:
        TimeoutError: if it does not happen.
    """
    run = place.start(*arguments)
    deadline_s = time.monotonic() + _PATIENCE_S
    while not happened():
        if run.poll() is not None or time.monotonic() > deadline_s:
            raise TimeoutError(f"it did not happen: {place.said()[-2000:]}")
        time.sleep(0.01)
    with held(place):
        trouble()
    return run.wait(_PATIENCE_S)


@contextmanager
def held(place: Workplace) -> Iterator[None]:
    """Stops the jobs of a workplace while the block runs."""
    jobs = place.workers()
    for job in jobs:
        with suppress(psutil.NoSuchProcess):
            job.suspend()
    try:
        yield
    finally:
        for job in jobs:
            with suppress(psutil.NoSuchProcess):
                job.resume()


def turn_back_clock(
    place: Workplace, undisturbed: Mapping[str, bytes], happened: Callable[[], bool]
) -> Survived:
    """A run is killed, and the clock is a day behind when the next one starts.

    It is not the clock that is set, which would trouble all programs: all files are a day younger,
    which is the same to a run.
    """
    run = place.start()
    while not happened() and run.poll() is None:
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.killpg(run.pid, 9)
    status = run.wait()
    make_younger(place.folder, _DAY_S)
    return finish("clock a day back", place, undisturbed, status)


def make_younger(folder: Path, seconds: float) -> None:
    """Moves the times of all files into the future, but those of videos."""
    for path in folder.rglob("*"):
        if "videos" not in path.relative_to(folder).parts[:1]:
            times = path.lstat()
            later = (times.st_atime + seconds, times.st_mtime + seconds)
            os.utime(path, later, follow_symlinks=False)


def damage_file(path: Path) -> None:
    """Changes one digit, or one byte, in the middle of a file; its time stays as it was."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    digits = [place for place, byte in enumerate(data) if 0x30 <= byte <= 0x38]
    data[digits[len(digits) // 2] if digits else len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def damage_stages(place: Workplace, video: str, undisturbed: Mapping[str, bytes]) -> Survived:
    """All that a stage reads of a finished video changes, one thing after the other.

    Each is found by what reads it, and made again by the same command.
    """
    statuses = []
    of_video = place.results / "videos" / video
    for name, lost in READ_AGAIN.items():
        damage_file(_file_of(of_video / name))
        remove(of_video / lost)
        remove(of_video / "sheet.png")
        said_before = len(place.said())
        statuses.append(place.run("sheets"))
        said = place.said()[said_before:]
        assert "was damaged after" in said or "is not as tapeless wrote it" in said, name
        statuses.append(place.run("sheets"))
        for aside in of_video.glob("*.changed"):
            aside.unlink()
    return finish("intermediates damaged", place, undisturbed, *statuses)


def _file_of(path: Path) -> Path:
    """The file, or one that a stage has written into the folder."""
    if path.is_file():
        return path
    return next(p for p in sorted(path.iterdir()) if "_000" in p.name or "_1" in p.name)


def remove(path: Path) -> None:
    """Removes a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def change_video(
    place: Workplace,
    undisturbed: Mapping[str, bytes],
    video: Path,
    change: Callable[[Path], object],
) -> Survived:
    """A video is changed while it is read; at the end, it is again what it was.

    Its time of change is another one then, which is in the files that say what was sampled.
    """
    original = video.with_name(f".{video.name}")
    shutil.copy2(video, original)
    began = (place.results / "logs/sample_frames" / f"{video.name}.log").exists
    status = disturb(place, began, lambda: change(video))
    also = place.run()
    original.replace(video)
    return finish(f"video {change.__name__}", place, undisturbed, status, also)


def truncated(video: Path) -> None:
    """Cuts a video in the middle."""
    os.truncate(video, video.stat().st_size // 2)


def replaced(video: Path) -> None:
    """Puts another file in the place of a video."""
    other = video.with_name(".other")
    other.write_bytes(b"no video")
    other.replace(video)


def deleted(video: Path) -> None:
    """Deletes a video."""
    video.unlink()


def main(clip: Path, folder: Path, table: Path, resources: Path) -> None:
    """Brings every fault over runs below `folder`; writes how each ended, as JSON."""
    place = Workplace(folder.absolute() / "hurt", resources=resources.absolute())
    survived = []
    for each in hurt_all(place, clip.absolute()):
        log.info("%s", each)
        survived.append(asdict(each) | {"is_well": each.is_well})
        table.write_text(json.dumps(survived, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(*map(Path, sys.argv[1:]))
