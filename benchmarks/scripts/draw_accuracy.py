"""Draws the plots of docs/accuracy.md: agreement, and errors against what may cause them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from page import SHOWN
from score_accuracy import GIVEN, TAPELESS
from variants import AS_IN_A_RUN, VIEWS

from tapeless.logs import job_log
from tapeless.measurements import load_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PANEL_IN = (2.6, 2.3)
RESOLUTION_DPI = 110
COLOURS = {"turn": "#1f6f8b", "front": "#d1792b"}
UNITS = {record.name: record.unit.si for record in load_table().measurements}
AGREEMENT_SD = 1.96
AGREEMENT_COLUMNS = 4


def shown(name: str) -> tuple[str, float]:
    """The unit that errors of a measurement are shown in, and what SI is multiplied with."""
    unit, factor, _ = SHOWN[UNITS[name]]
    return unit or "-", factor


def with_people(errors: pd.DataFrame, truth: pd.DataFrame, films: pd.DataFrame) -> pd.DataFrame:
    """The errors of tapeless with the height given, and beside them: bmi, size_px and distance_m.

    `size_px` is how tall the person is in the video.
    """
    own = errors[(errors["method"] == TAPELESS) & (errors["height"] == GIVEN)]
    true = truth.set_index("adult")
    bmi = (true["mass"] / true["height"] ** 2).rename("bmi")
    statures = films["adult"].map(true["height"])
    focal_px = films["height_px"] / 2 / np.tan(np.radians(films["vertical_fov_degrees"]) / 2)
    seen = films[["adult", "take", "distance_m"]].assign(
        size_px=statures * focal_px / films["distance_m"]
    )
    table = own.dropna(subset="measured").merge(seen, on=["adult", "take"]).join(bmi, on="adult")
    return table.assign(error=table["measured"] - table["true"])


@contextmanager
def figure(path: Path, rows: int, columns: int) -> Iterator[Any]:
    """Axes (rows, columns) of a figure that is written to `path`."""
    style: dict[Any, Any] = {
        "font.size": 8,
        "axes.grid": True,
        "grid.alpha": 0.3,
    }
    with mpl.rc_context(style):
        drawing = Figure((PANEL_IN[0] * columns, PANEL_IN[1] * rows), layout="constrained")
        yield drawing.subplots(rows, columns, squeeze=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        drawing.savefig(path, dpi=RESOLUTION_DPI)


def draw_agreement(path: Path, table: pd.DataFrame, take: str) -> None:
    """Bland and Altman, of every measurement: differences over means, with limits of agreement."""
    own = table[table["take"] == take]
    names = [name for name in UNITS if name in set(own["measurement"])]
    with figure(path, -(-len(names) // AGREEMENT_COLUMNS), AGREEMENT_COLUMNS) as axes:
        for axis in axes.flat[len(names) :]:
            axis.set_axis_off()
        for axis, name in zip(axes.flat, names, strict=False):
            _draw_one_agreement(axis, name, own[own["measurement"] == name], COLOURS[take])


def _draw_one_agreement(axis: Axes, name: str, own: pd.DataFrame, colour: str) -> None:
    unit, factor = shown(name)
    error = factor * own["error"]
    axis.scatter(factor * (own["measured"] + own["true"]) / 2, error, s=9, color=colour)
    spread = AGREEMENT_SD * error.std()
    for level, style in ((0, "-"), (-spread, "--"), (spread, "--")):
        axis.axhline(error.mean() + level, color="black", linestyle=style, linewidth=0.8)
    _name(axis, name, f"mean of measured and true, {unit}", f"measured less true, {unit}")


def draw_against(
    path: Path, table: pd.DataFrame, drawn: Sequence[str], causes: Mapping[str, str]
) -> None:
    """Errors over what may cause them, a row for each cause (column: label)."""
    with figure(path, len(causes), len(drawn)) as axes:
        for row, (column, label) in zip(axes, causes.items(), strict=True):
            for axis, name in zip(row, drawn, strict=True):
                unit, factor = shown(name)
                for take, colour in COLOURS.items():
                    own = table[(table["measurement"] == name) & (table["take"] == take)]
                    axis.scatter(own[column], factor * own["error"], s=9, color=colour, label=take)
                axis.axhline(0, color="black", linewidth=0.8)
                _name(axis, name, label, f"measured less true, {unit}")
        axes[0][0].legend(fontsize=7)


def draw_views(path: Path, ablation: pd.DataFrame, drawn: Sequence[str]) -> None:
    """Mean absolute errors over the number of frames of one turn that the fit was given."""
    names = {AS_IN_A_RUN: math.nan, **{VIEWS.format(n): n for n in range(1, 200)}}
    table = paired(ablation[ablation["variant"].isin(names)]).copy()
    given = table["variant"].map(names)
    table["views"] = given.fillna(table["frames"].median())
    table["error"] = (table["measured"] - table["true"]).abs()
    with figure(path, 1, len(drawn)) as axes:
        for axis, name in zip(axes[0], drawn, strict=True):
            unit, factor = shown(name)
            own = table[table["measurement"] == name].groupby("views")["error"].mean()
            axis.plot(own.index, factor * own, marker="o", color=COLOURS["turn"])
            axis.set_ylim(bottom=0)
            _name(axis, name, "frames of one turn", f"mean absolute error, {unit}")


def paired(ablation: pd.DataFrame) -> pd.DataFrame:
    """The rows of videos and measurements that every variant could measure.

    Variants are compared on the same people. One that measured nobody counts for nothing.
    """
    keys = ["video", "measurement"]
    wide = ablation.pivot_table(index=keys, columns="variant", values="measured")
    return ablation[pd.MultiIndex.from_frame(ablation[keys]).isin(wide.dropna().index)]


def _name(axis: Axes, title: str, across: str, up: str) -> None:
    axis.set_title(title)
    axis.set_xlabel(across)
    axis.set_ylabel(up)


def main(
    inputs: Mapping[str, Path],
    ablations: Sequence[Path],
    outputs: Mapping[str, Path],
    *,
    drawn: Sequence[str],
    take: str,
) -> None:
    """Writes `outputs`: agreement, build, size and views."""
    errors, truth, films = (pd.read_csv(inputs[name]) for name in ("errors", "truth", "films"))
    table = with_people(errors, truth, films)
    draw_agreement(outputs["agreement"], table, take)
    draw_against(outputs["build"], table, drawn, {"bmi": "body mass index, kg/m²"})
    causes = {"size_px": "height in the picture, px", "distance_m": "distance, m"}
    draw_against(outputs["size"], table, drawn, causes)
    draw_views(outputs["views"], pd.concat(map(pd.read_csv, ablations)), drawn)


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        main(
            {name: Path(snakemake.input[name]) for name in ("errors", "truth", "films")},
            [Path(path) for path in snakemake.input.ablation],
            {name: Path(path) for name, path in snakemake.output.items()},
            drawn=snakemake.params.drawn,
            take=snakemake.params.take,
        )
