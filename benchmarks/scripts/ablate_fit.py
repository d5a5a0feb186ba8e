"""Fits one video again with what a run does not know, or with less than it knows.

Writes the error of every measurement for each variant (SI): the outline that was detected or the
exact one, the angle of the lens guessed or given, fewer frames, other sources of scale than the
height; and, without any fit, of the body in the fit's space that is closest to the true one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd
from variants import (
    AS_IN_A_RUN,
    BOTH,
    CLOSEST,
    DISTANCE,
    EXACT_OUTLINE,
    NO_HEIGHT,
    OBJECT,
    TRUE_LENS,
    VIEWS,
)

from tapeless.bodies import Body
from tapeless.heap import keep_freed_memory
from tapeless.images import read_grey
from tapeless.logs import job_log
from tapeless.measurements import measure_body
from tapeless.outcomes import Rejected
from tapeless.population import draw_adults, rest_body
from tapeless.shape.anny import Frame, Settings, estimate_bodies, read_frames
from tapeless.shape.anny_space import ShapeSpace
from tapeless.synthetic import Camera

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def with_exact_outlines(frames: Sequence[Frame], masks: Path, table: pd.DataFrame) -> list[Frame]:
    """The frames with the masks that were rendered, made as large as the frames."""
    source = table.set_index("frame")["source_frame"]
    exact = []
    for frame in frames:
        mask = read_grey(masks / f"frame_{source[frame.name] + 1:06d}.png")
        size = frame.silhouette.shape[::-1]
        small = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        exact.append(replace(frame, silhouette=small.astype(np.uint8)))
    return exact


def evenly(frames: Sequence[Frame], count: int) -> list[Frame]:
    """So many of the frames, evenly spaced over the video, which ends where it began."""
    return [frames[i] for i in np.arange(count) * len(frames) // count]


def closest_body(true: Body, space: ShapeSpace) -> Body:
    """The body of the space whose vertices are closest to the true ones, in least squares."""
    basis = space.basis.reshape(len(space.basis), -1).T
    # A body of the space may float: its feet are put on the floor afterwards.
    away = np.concatenate([np.eye(3)] * len(true.vertices))
    difference = (true.vertices - space.mean).ravel()
    coefficients, *_ = np.linalg.lstsq(np.hstack([basis, away]), difference, rcond=None)
    vertices = space.mean + np.tensordot(coefficients[:-3], space.basis, 1)
    joints = space.bones_mean + np.tensordot(coefficients[:-3], space.bones_basis, 1)
    floor = np.array([0, vertices[:, 1].min(), 0])
    return replace(true, vertices=vertices - floor, faces=space.faces, joints=joints - floor)


def measure_variants(
    frames: Sequence[Frame],
    exact: Sequence[Frame],
    true: Body,
    space: Path,
    camera: Camera,
    views: Sequence[int],
) -> dict[str, dict[str, float]]:
    """Medians over the estimates of each variant, SI; a variant that is rejected has none."""
    known = Settings(stature_m=measure_body(true)["height"])
    sure = replace(known, vertical_fov_degrees=camera.vertical_fov_degrees)
    shrunk = len(frames[0].silhouette) / camera.height_px
    px_per_m = shrunk * camera.focal_px / camera.distance_m
    fits = {
        AS_IN_A_RUN: (frames, known),
        EXACT_OUTLINE: (exact, known),
        TRUE_LENS: (frames, sure),
        BOTH: (exact, sure),
        NO_HEIGHT: (frames, Settings()),
        DISTANCE: (frames, replace(sure, stature_m=None, distance_m=camera.distance_m)),
        OBJECT: (frames, Settings(object_px_per_m=px_per_m)),
        **{VIEWS.format(n): (evenly(frames, n), known) for n in views if n < len(frames)},
    }
    measured = {CLOSEST: measure_body(closest_body(true, ShapeSpace.load(space)))}
    for variant, (seen, settings) in fits.items():
        try:
            bodies = estimate_bodies(seen, space, settings)
        except Rejected:
            measured[variant] = {}
            continue
        medians = pd.DataFrame(map(measure_body, bodies)).median()
        measured[variant] = {str(name): float(value) for name, value in medians.items()}
    return measured


def main(
    inputs: dict[str, Path],
    ablation: Path,
    *,
    views: Sequence[int],
    number: int,
    drawn: Mapping[str, Any],
) -> None:
    """Writes the table `ablation`: video, variant, frames, measurement, measured, true."""
    film = pd.read_csv(inputs["films"]).set_index("video").T[ablation.stem]
    camera = Camera(**{field.name: film[field.name] for field in fields(Camera)})
    true = rest_body(draw_adults(number + 1, **drawn)[number])
    frames = read_frames(inputs["keypoints"], inputs["silhouettes"])
    exact = with_exact_outlines(frames, inputs["masks"], pd.read_csv(inputs["frames_table"]))
    variants = measure_variants(frames, exact, true, inputs["space"], camera, views)
    truth = measure_body(true)
    rows = [
        {
            "video": ablation.stem,
            "variant": variant,
            "frames": len(frames),
            "measurement": name,
            "measured": values.get(name),
            "true": true_value,
        }
        for variant, values in variants.items()
        for name, true_value in truth.items()
    ]
    pd.DataFrame(rows).to_csv(ablation, index=False)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        keep_freed_memory()
        names = ("films", "keypoints", "silhouettes", "masks", "frames_table", "space")
        main(
            {name: Path(snakemake.input[name]) for name in names},
            Path(snakemake.output.ablation),
            views=snakemake.params.views,
            number=snakemake.params.number,
            drawn=snakemake.params.drawn,
        )
