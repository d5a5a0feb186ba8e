"""Videos to measure, and the folder of results: writable, and with room for what they make."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tapeless.doctor.findings import Finding, failed, ok, unknown
from tapeless.doctor.situation import Situation
from tapeless.needs import STAGES, count_gathered, find_needs

_GB = 1e9
_ASPECT = 9 / 16
_CLIP_S = 60.0
_CLIP_BYTES = 120e6
"""Length and size of a video of which nothing is known; to look at each would take too long. The
size is a guess, at 2 MB a second."""

# Bytes, measured on real clips with frames of 338 x 600.
_FRAME_PER_PX = 1.4
_PICTURE_PER_PX = 0.3  # blurred, with its silhouette


def check_videos(situation: Situation) -> Iterator[Finding]:
    """Whether there are any; they may yet come."""
    if situation.videos:
        return
    sheet, folder = situation.config["sheet"], situation.config["videos"]
    if sheet is not None and Path(sheet).exists():
        yield unknown("videos", f"none yet in {sheet}")
    elif Path(folder).is_dir():
        yield unknown("videos", f"none yet in {folder}/")
    else:
        yield unknown("videos", f"no folder {folder}", "make it, or correct the key videos")


def check_results(situation: Situation) -> Iterator[Finding]:
    """Writes where the results go; what it writes is gone at once."""
    folder = _existing(situation.results)
    remedy = "pathvars.results: another folder (config/README.md), or the rights to this one"
    try:
        with tempfile.TemporaryFile(dir=folder):
            yield ok("results", f"{situation.results} can be written to")
    except OSError as error:
        yield failed("results", f"cannot write to {folder}: {error.strerror}", remedy)


def check_disk(situation: Situation) -> Iterator[Finding]:
    """Room for the videos that have no results yet, by a rough estimate."""
    videos = [
        video
        for name, video in situation.videos.items()
        if not (situation.results / "videos" / name / "outcome.json").exists()
    ]
    usage = shutil.disk_usage(_existing(situation.results))
    if usage.total == 0:  # as some file systems have it that are no disk
        yield unknown("disk space", "the file system does not say how much there is")
        return
    if not situation.videos:
        yield ok("disk space", f"{_amount(usage.free)} free")
        return
    is_disk_of_copies = Path().stat().st_dev == _existing(situation.results).stat().st_dev
    remote = sum(video.is_on_s3 for video in videos) if is_disk_of_copies else 0
    free, needed = usage.free, estimate_bytes(situation, len(videos), remote)
    found = f"{_amount(free)} free; about {_amount(needed)} for {len(videos)} videos to measure"
    if free < needed / 2:
        yield failed("disk space", found, "pathvars.results: a larger disk (config/README.md)")
    elif free < needed:
        yield unknown("disk space", found)
    elif free < needed + (waiting := estimate_waiting_bytes(situation, len(videos))):
        found += f", and up to {_amount(waiting)} for frames that wait for a card"
        yield unknown("disk space", found, "some videos at a time (docs/scaling.md#disk)")
    else:
        yield ok("disk space", found)


def estimate_bytes(situation: Situation, videos: int, remote: int = 0) -> float:
    """What the results of so many videos will take, to a factor of two.

    That is what is kept of each, and what the jobs hold that are at work at a time: frames and, of
    those `remote` among the videos that are on S3, a copy.
    """
    config = situation.config
    kept = _PICTURE_PER_PX / _FRAME_PER_PX + config["keep_frames"]
    kept_bytes = 0.0
    copied = min(remote, _count_at_once(situation))
    for needs in find_needs(config).values():
        kept += needs.kept_pictures
        kept_bytes += needs.kept_bytes
    frames_bytes = estimate_frames_bytes(config)
    kept_of_video = kept * frames_bytes + kept_bytes * _count_frames(config)
    sampled = min(videos, _count_sampled(situation))
    return videos * kept_of_video + sampled * frames_bytes + copied * _CLIP_BYTES


def estimate_waiting_bytes(situation: Situation, videos: int) -> float:
    """What the frames of further videos take, at worst, where a later step takes a card.

    Cores that are idle sample on, however many videos wait for the card already.
    """
    needs = find_needs(situation.config)
    if not any(needs[rule].card for rule in STAGES.values()):
        return 0.0
    waiting = max(0, videos - _count_sampled(situation))
    return waiting * estimate_frames_bytes(situation.config)


def _count_sampled(situation: Situation) -> int:
    """Of so many videos there are frames at a time, where none wait for anything but cores."""
    at_once = _count_at_once(situation)
    if situation.is_elsewhere:
        return at_once
    return max(at_once, count_gathered(situation.config, situation.cards))


def _count_at_once(situation: Situation) -> int:
    return situation.at_once or os.cpu_count() or 1


def estimate_frames_bytes(config: Mapping[str, Any]) -> float:
    """What the sampled frames of a video take until it is done, to a factor of two.

    Nothing else that is deleted again is nearly as large.
    """
    pixels = _ASPECT * config["sampling"]["longest_side_px"] ** 2
    return _count_frames(config) * _FRAME_PER_PX * pixels


def _count_frames(config: Mapping[str, Any]) -> float:
    """Frames sampled of a video."""
    sampling = config["sampling"]
    if sampling["fps"] is None:
        return float(sampling["frames"])
    start_s, end_s = sampling["start_s"] or 0.0, sampling["end_s"]
    return min(1000.0, sampling["fps"] * (end_s - start_s if end_s else _CLIP_S))


def _existing(path: Path) -> Path:
    """The folder itself or, before it is made, the nearest above it."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _amount(size: float) -> str:
    return f"{size / _GB:.1f} GB"
