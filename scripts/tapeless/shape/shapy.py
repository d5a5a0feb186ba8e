"""Body shape by SHAPY, in a container: one estimate for each usable frame.

SHAPY says little when something is wrong: it carries on without its weights, leaves out people
without a word, and ends with a Python error when nobody is left. So what it needs is checked
before, what it must have said and written afterwards, and only then is anything a result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tapeless.bodies import Body
from tapeless.containers import Allowance, ContainerFailedError
from tapeless.containers.sharing import Sharing, are_ready, share_container
from tapeless.containers.workplaces import deal_out, open_workplace
from tapeless.forgetting import are_forgotten
from tapeless.outcomes import Rejected
from tapeless.people import people_of
from tapeless.shape.shapy_bodies import BodyModel, make_body, read_body_model, read_estimate
from tapeless.shape.shapy_files import BODY_MODEL, ShapyError, require_files
from tapeless.shape.shapy_frames import ADVICE, LeftOut, choose_frames
from tapeless.shape.shapy_views import Views
from tapeless.shape.shapy_weights import WeightsWatch
from tapeless.shape.shapy_workplace import PROGRAM, Workplace

EXTRAS_FOLDER = "shapy"
"""Below the body files: the meshes and pictures of SHAPY's own that the configuration asks for."""

_NO_CARD_STATUS = 3
_NO_CARD = (
    "SHAPY found no graphics card that it can work with. It needs one: the image must be built for "
    "this card (containers/shapy/README.md), and other programs must leave it room. `tapeless "
    "doctor` says what is missing."
)
_LESS_MEMORY = (
    "SHAPY already looks at one picture at a time, and cannot take less of a card: it needs a card "
    "with more memory, or shape.backend: anny."
)


@dataclass(frozen=True)
class Settings:
    """What decides the result.

    Attributes:
        data: the folder "data" of the user's SHAPY download.
        stature_m: the person's, None if it is not known.
        min_frames: a video with fewer estimates is rejected.
        meshes: keep SHAPY's own posed meshes.
        pictures: keep SHAPY's own overlays.
    """

    data: Path
    stature_m: float | None = None
    min_frames: int = 1
    meshes: bool = False
    pictures: bool = False


def estimate_bodies(
    frames: Path,
    keypoints: Path,
    bodies: Path,
    settings: Settings,
    allowance: Allowance,
    left_out: LeftOut,
    sharing: Sharing | None = None,
) -> list[Body]:
    """Runs SHAPY on the usable frames of a person: one body for each, in time order.

    Args:
        frames: the sampled frames.
        keypoints: an OpenPose JSON file for each usable frame, with one person.
        bodies: where SHAPY works, in a folder that is gone afterwards; meshes and pictures that
            are asked for are left in `EXTRAS_FOLDER`.
        settings: what decides the result.
        allowance: what it may use of the machine.
        left_out: is filled, also if the video is rejected.
        sharing: others, whom the same container may work for; its stage is that of the video.

    Raises:
        Rejected: if too few frames show enough of the person, or a body of plausible size.
        MissingFilesError: if the download is not complete.
        ShapyError: if SHAPY did not do what it should, or wrote what is no result.
        ContainerError, GpuError: if it could not be run, or did not end well.
    """
    require_files(settings.data)
    sharing = sharing or Sharing(bodies)
    seeing = _Seeing(settings, allowance, sharing.settled)
    names = choose_frames(keypoints, left_out, settings.min_frames)
    model = read_body_model(settings.data / BODY_MODEL)
    with open_workplace(bodies) as workplace:
        views = Views.read(frames, keypoints, names, sharing.settled)
        (results,) = share_container([views], seeing, workplace.absolute(), sharing)
        found = _read_bodies(results, names, model, settings, left_out)
        _keep_extras(results, list(found), bodies, settings)
    return list(found.values())


@dataclass(frozen=True)
class _Seeing:
    """What SHAPY does for a person of a job's video, and for those of others."""

    settings: Settings
    allowance: Allowance
    settled: Mapping[str, Any]

    def find(self, stage: Path) -> Sequence[Views] | None:
        """What SHAPY would see of each person of another video."""
        frames, keypoints = stage.with_name("frames"), stage.with_name("keypoints")
        if not are_ready([frames, keypoints]) or are_forgotten(frames):
            return None
        found = []
        for folder in people_of(keypoints).values():
            try:
                names = choose_frames(folder, LeftOut(is_quiet=True), self.settings.min_frames)
            except Rejected:
                continue
            found.append(Views.read(frames, folder, names, self.settled))
        return found

    def do(self, errands: Sequence[Views], folder: Path) -> Sequence[Path]:
        """Runs SHAPY for all; where what it wrote is, by person."""
        place = Workplace.at(folder, self.settings.data, self.allowance.settings)
        if len(errands) == 1:
            (views,) = errands
            place.stage(views.frames, views.keypoints, views.names)
            self._run(place, 1)
            _require_results(place.results, views.names, self.settings)
            return [place.results]
        for number, views in enumerate(errands):
            views.stage(place, f"{number}_")
        self._run(place, len(errands))
        results = [folder / f"results_{number}" for number in range(len(errands))]
        deal_out(place.results, results)
        model = read_body_model(self.settings.data / BODY_MODEL)
        for views, own_results in zip(errands, results, strict=True):
            _require_results(own_results, views.names, self.settings)
            for name in views.names:
                with suppress(Rejected):  # a verdict on a frame, not on SHAPY
                    read_estimate(own_results / f"{name}.npz", model)
        return results

    def _run(self, place: Workplace, people: int) -> None:
        """Runs SHAPY, and makes sure that it had its weights."""
        weights = WeightsWatch(place.checkpoint)
        arguments = place.arguments(meshes=self.settings.meshes, pictures=self.settings.pictures)
        try:
            self.allowance.run(
                PROGRAM, arguments, place.mounts, videos=people, listener=weights.hear
            )
        except ContainerFailedError as error:
            if error.status == _NO_CARD_STATUS:
                raise ShapyError(_NO_CARD) from error
            if error.code == "gpu_out_of_memory":
                error.add_note(_LESS_MEMORY)
            raise
        weights.require()


def _read_bodies(
    results: Path, names: Sequence[str], model: BodyModel, settings: Settings, left_out: LeftOut
) -> dict[str, Body]:
    """The bodies of plausible size, by frame."""
    bodies: dict[str, Body] = {}
    for name in names:
        try:
            estimate = read_estimate(results / f"{name}.npz", model)
            bodies[name] = make_body(estimate, model, name, settings.stature_m)
        except Rejected as verdict:
            left_out.add(name, verdict.reason)
    if len(bodies) < max(settings.min_frames, 1):
        raise Rejected(
            "no_fit",
            f"SHAPY found a body of plausible size in {len(bodies)} of {len(names)} frames, where "
            f"at least {max(settings.min_frames, 1)} are needed. {ADVICE}",
            frames_used=len(bodies),
            frames_left_out=len(left_out.reasons),
        )
    return bodies


def _require_results(results: Path, names: Sequence[str], settings: Settings) -> None:
    """A frame that SHAPY was given and left out has no known reason, so something went wrong."""
    endings = [".npz", *_extras(settings)]
    missing = [
        name for name in names if not all((results / f"{name}{e}").is_file() for e in endings)
    ]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise ShapyError(
            f"SHAPY ended without an error, but {len(missing)} of {len(names)} frames have no "
            f"result: {shown}. The log of the job says how far it came. Start again; if that does "
            "not help, test the image by hand as containers/shapy/README.md says."
        )


def _extras(settings: Settings) -> Iterator[str]:
    """What the names of the files that are kept besides end with, after the name of their frame."""
    if settings.meshes:
        yield ".ply"
    if settings.pictures:
        yield "_hd_stage_02_overlay.png"


def _keep_extras(results: Path, names: Sequence[str], bodies: Path, settings: Settings) -> None:
    for ending in _extras(settings):
        (bodies / EXTRAS_FOLDER).mkdir(exist_ok=True)
        for name in names:
            file = results / f"{name}{ending}"
            file.replace(bodies / EXTRAS_FOLDER / file.name)
