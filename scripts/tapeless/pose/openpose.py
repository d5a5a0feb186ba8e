"""The OpenPose backend: everybody in a frame, by OpenPose without a window, in a container.

OpenPose is given the folder of the frames as it is: it reads what ends like a picture, and passes
over the JSON files beside them. Of several videos at once it is given a folder with the pictures of
all, which have one size, so that it sees what it would see of one longer video.

It counts pixels from the centre of the first one, 0, 0 (by the notes of its release 1.2.0), where
`Person` has 0.5, 0.5. That half a pixel is less than one of the network's own pixels and moves all
points alike, so the points stay as they are, as SHAPY wants them.
"""

from __future__ import annotations

import logging
import shutil
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapeless.containers import Allowance, ContainerError, Mount
from tapeless.containers.sharing import Sharing, are_ready, share_container
from tapeless.containers.workplaces import open_workplace
from tapeless.forgetting import are_forgotten
from tapeless.keypoints import (
    MIN_POINTS,
    POSE_SUFFIX,
    Person,
    PoseFileError,
    read_people,
    write_people,
)
from tapeless.outcomes import MachineFault
from tapeless.pose.openpose_models import find_linked_models, require_models
from tapeless.pose.openpose_pictures import OpenPosePictures, sort_out

log = logging.getLogger(__name__)

PICTURES_FOLDER = "pictures"
"""Where OpenPose's own pictures are kept, in the folder of the pose."""

_KINDS = ("json", PICTURES_FOLDER)
_LEAST_CONFIDENCE = 0.001  # less would be written as 0, which means absent
_LINES_KEPT = 100
_LINES_SHOWN = 5

# What OpenPose and Caffe say on these occasions: openpose issues #1230, #1290, #1505.
_REMEDIES = {
    "out of memory": (
        "OpenPose takes less of a card with a lower pose.openpose.net_resolution, such as -1x256."
    ),
    "no kernel image is available": (
        "This OpenPose was not built for this graphics card: build it again with the card's "
        "architecture (containers/openpose/README.md)."
    ),
    "no CUDA-capable device": (
        "OpenPose saw no graphics card. One that was built for cards needs pose.openpose.gpu: "
        "true; one for CPUs is built as containers/openpose/README.md says."
    ),
}


class OpenPoseError(MachineFault):
    """OpenPose did not do its work, and no video is to blame; the message says what to do."""


@dataclass(frozen=True)
class Options:
    """What OpenPose is asked for: the keys of `pose.openpose` that change the result."""

    min_confidence: float
    net_resolution: str
    number_people_max: int | None
    face: bool
    hands: bool
    pictures: bool


def build_arguments(frames: Path, models: Path, written: Path, options: Options) -> tuple[str, ...]:
    """OpenPose's command line without its program; it writes to folders below `written`."""
    values: dict[str, object] = {
        "image_dir": frames,
        "write_json": written / "json",
        "display": 0,
        "render_pose": 0,
        "model_folder": f"{models}/",
        "model_pose": "BODY_25",
        "net_resolution": options.net_resolution,
        "keypoint_scale": 0,
        "number_people_max": options.number_people_max or -1,
        "num_gpu": 1,
        "num_gpu_start": 0,  # a container sees no card but its own
        "logging_level": 3,
    }
    if options.pictures:
        # On the CPU, which all builds can; without rendering the pictures would be bare copies.
        values |= {"write_images": written / PICTURES_FOLDER, "render_pose": 1}
    words = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    if options.face:
        words.append("--face")
    if options.hands:
        words.append("--hand")
    return tuple(words)


def keep_confident(people: Iterable[Person], min_confidence: float) -> list[Person]:
    """People without the points that OpenPose believes in less than `min_confidence`.

    Of whom fewer than `MIN_POINTS` of the body are left is not taken for a person.
    """
    believed = [
        Person(
            _without_doubtful(one.points, min_confidence),
            {name: _without_doubtful(part, min_confidence) for name, part in one.parts.items()},
        )
        for one in people
    ]
    return [one for one in believed if one.present.sum() >= MIN_POINTS]


def estimate_pose(
    frames: Path,
    pose: Path,
    models: Path,
    options: Options,
    allowance: Allowance,
    sharing: Sharing | None = None,
) -> Mapping[str, int]:
    """Writes a pose file for every frame of a video; returns what it counted.

    Nothing is written to `pose` before all that OpenPose wrote is complete and correct.

    Args:
        frames: the sampled frames.
        pose: the directory of the stage, which exists.
        models: OpenPose's.
        options: what OpenPose is asked for.
        allowance: what it may use of the machine.
        sharing: other videos, whose frames may be looked at by the same container.

    Raises:
        MissingFilesError: if OpenPose's models are not in `models`, or others are.
        GpuError, ContainerError: if it cannot be run, or fails; says how far it came.
        OpenPoseError: if it ends well but left frames out, or wrote what is no pose.
    """
    frames, pose, models = frames.absolute(), pose.absolute(), models.absolute()
    require_models(models, asdict(options))
    sharing = sharing or Sharing(pose)
    pictures = OpenPosePictures.read(frames, sharing.settled)
    looking = _Looking(pictures, models, options, allowance)
    with open_workplace(pose) as workplace:
        (found,) = share_container([pictures], looking, workplace, sharing)
        people = {
            name: keep_confident(everybody, options.min_confidence)
            for name, everybody in _read(pictures.names, found).items()
        }
        if options.pictures:
            _keep_pictures(pictures.names, found / PICTURES_FOLDER, pose / PICTURES_FOLDER)
        for name, kept in people.items():
            write_people(pose / f"{name}{POSE_SUFFIX}", kept)
    return {
        "frames_sampled": len(pictures.names),
        "frames_with_people": sum(map(bool, people.values())),
    }


def _without_doubtful(points: NDArray[np.float64], min_confidence: float) -> NDArray[np.float64]:
    doubtful = points[:, 2] < max(min_confidence, _LEAST_CONFIDENCE)
    return np.where(doubtful[:, None], 0.0, points)


@dataclass(frozen=True)
class _Looking:
    """What OpenPose does for the video of a job, and for others."""

    own: OpenPosePictures
    models: Path
    options: Options
    allowance: Allowance

    def find(self, stage: Path) -> Sequence[OpenPosePictures] | None:
        """The pictures of another video, if OpenPose can look at them and the job's own at once."""
        frames = stage.with_name(self.own.folder.name)
        if not are_ready([frames]) or are_forgotten(frames):
            return None
        pictures = OpenPosePictures.read(frames, self.own.settled)
        return (pictures,) if pictures.size == self.own.size else ()

    def do(self, errands: Sequence[OpenPosePictures], folder: Path) -> Sequence[Path]:
        """Lets OpenPose look at all pictures; where what it wrote is, by video."""
        written = folder / "written"
        for kind in _KINDS:
            (written / kind).mkdir(parents=True)
        if len(errands) == 1:
            self._look_at(errands[0].folder, errands[0].names, written, 1)
            return [written]
        (folder / "pictures").mkdir()
        names = [
            name
            for number, pictures in enumerate(errands)
            for name in pictures.stage(folder / "pictures", f"{number}_")
        ]
        self._look_at(folder / "pictures", names, written, len(errands))
        return sort_out(written, len(errands))

    def _look_at(self, frames: Path, names: Sequence[str], written: Path, videos: int) -> None:
        """Runs OpenPose, and makes sure that what it wrote is whole."""
        said: deque[str] = deque(maxlen=_LINES_KEPT)
        arguments = build_arguments(frames, self.models, written, self.options)
        linked = _mount_linked(self.models, self.options)
        mounts = (Mount(frames), Mount(self.models), *linked, Mount(written, writable=True))
        try:
            self.allowance.run("openpose", arguments, mounts, videos=videos, listener=said.append)
        except ContainerError as error:
            for note in _explain(said, names, written):
                error.add_note(note)
            raise
        _read(names, written, said)
        if self.options.pictures:
            for name in names:
                _find_picture(name, written / PICTURES_FOLDER)


def _mount_linked(models: Path, options: Options) -> list[Mount]:
    """What the container would see as links to nothing."""
    linked = find_linked_models(models, asdict(options))
    return [Mount(place, str(models / name)) for name, place in linked.items()]


def _explain(said: Iterable[str], names: Sequence[str], written: Path) -> list[str]:
    """What can be said of a failure besides the container's own message."""
    text = "\n".join(said)
    notes = [remedy for words, remedy in _REMEDIES.items() if words in text]
    missing = _find_missing(names, written)
    if missing and len(missing) < len(names):
        notes.append(f"OpenPose had done {len(names) - len(missing)} of {len(names)} frames.")
    return notes


def _read(names: Sequence[str], written: Path, said: Iterable[str] = ()) -> dict[str, list[Person]]:
    """What OpenPose wrote, checked: one file for each frame, with people of 25 points or nobody."""
    if missing := _find_missing(names, written):
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        last = "".join(f"\n  {line}" for line in list(said)[-_LINES_SHOWN:]) or " nothing"
        raise OpenPoseError(
            f"OpenPose ended as if all were well, but {len(missing)} of {len(names)} frames have "
            f"no file: {shown}. A frame with nobody in it has one, so OpenPose broke off, most "
            "often for lack of memory: lower pose.openpose.net_resolution, such as -1x256, or "
            f"raise containers.memory_mb, and start again. It said last:{last}"
        )
    try:
        return {name: read_people(_file(written, name)) for name in names}
    except PoseFileError as error:
        raise OpenPoseError(
            f"What OpenPose wrote is no pose: {error}. Start again; if that does not help, test "
            "the image by hand as containers/openpose/README.md says."
        ) from error


def _find_missing(names: Sequence[str], written: Path) -> list[str]:
    return [name for name in names if not _file(written, name).is_file()]


def _file(written: Path, name: str) -> Path:
    return written / "json" / f"{name}{POSE_SUFFIX}"


def _keep_pictures(names: Sequence[str], written: Path, kept: Path) -> None:
    """Moves OpenPose's pictures to `kept`, named as the frames."""
    kept.mkdir()
    for name in names:
        shutil.move(_find_picture(name, written), kept / f"{name}.png")


def _find_picture(name: str, written: Path) -> Path:
    """OpenPose's picture of a frame: its releases name it in two ways.

    Raises:
        OpenPoseError: if there is none.
    """
    candidates = [written / f"{name}_rendered.png", written / f"{name}.png"]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise OpenPoseError(
            f"OpenPose wrote no picture of {name}, though it was asked to. Set "
            "pose.openpose.pictures: false, or test the image by hand as "
            "containers/openpose/README.md says."
        )
    return found
