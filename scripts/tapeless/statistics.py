"""Statistics of one video: what its estimates say together."""

from __future__ import annotations

import pandas as pd

from tapeless.intervals import Uncertainty, interval, relative_sd_of
from tapeless.measurements import Measurement, Table

DESCRIPTION = ("count", "mean", "std", "min", "25%", "50%", "75%", "max")
STATISTICS_COLUMNS = (
    "video",
    "subject",
    "measurement",
    "unit",
    *DESCRIPTION,
    "low",
    "high",
    "definition",
)
"""A row of `statistics.csv` and of the `measurements.csv` of all videos."""


def summarize(
    estimates: pd.DataFrame,
    table: Table,
    uncertainty: Uncertainty,
    *,
    video: str,
    subject: str,
    shape_backend: str,
) -> pd.DataFrame:
    """Describes a video's estimates, a row per measurement, in the units of the reports.

    Args:
        estimates: a row per estimate, a column `<measurement>_<SI unit>` each, `scale`, and the
            number of its `frames`.
        table: the measurements, in the order of the rows.
        uncertainty: from `load_uncertainty`.
        video: id of the video.
        subject: who is in it, or "".
        shape_backend: what estimated the bodies, as the configuration has it.

    Returns:
        The columns of `STATISTICS_COLUMNS`: pandas' `describe()`, and the 95 % interval of the
        median. No rows if there is no estimate.

    Raises:
        KeyError: if the uncertainty of a measurement is not known.
    """
    if estimates.empty:
        return pd.DataFrame(columns=list(STATISTICS_COLUMNS))
    scale, are_independent = scale_of(estimates), _are_independent(estimates)
    rows = []
    for record in table.present(lambda record: record.si_column in estimates):
        values = estimates[record.si_column] * record.unit.factor
        relative_sd = relative_sd_of(
            uncertainty, shape_backend, record.name, _quantity(record), scale
        )
        low, high = interval(values.tolist(), relative_sd, are_independent=are_independent)
        rows.append(
            {
                "video": video,
                "subject": subject,
                "measurement": record.name,
                "unit": record.unit.report,
                **values.describe().to_dict(),
                "low": low,
                "high": high,
                "definition": record.definition,
            }
        )
    frame = pd.DataFrame(rows, columns=list(STATISTICS_COLUMNS))
    return frame.astype({"count": int})


def _quantity(record: Measurement) -> str:
    return str(getattr(record, "quantity", "mass" if record.unit.si == "kg" else "girth"))


def _are_independent(estimates: pd.DataFrame) -> bool:
    """Whether each estimate rests on frames of its own all over the video.

    Not so of one estimate a frame, as SHAPY gives them: pictures of one person, in the same clothes
    and room, before the same network. What differs between them is known to be as large as the
    error itself (two nearly identical pictures gave 1.75 m and 1.62 m, SHAPY's issue 39), and
    nobody has shown how much of it goes away in the median of a video: so none is taken to.
    """
    return bool((estimates["frames"] > 1).any())


def scale_of(estimates: pd.DataFrame) -> str:
    """What the size of a video's estimates rests on; it is the same for all of them.

    Raises:
        ValueError: if it is not.
    """
    scales = estimates["scale"].unique().tolist()
    if len(scales) != 1:
        raise ValueError(f"estimates of one video have the scales {scales}, allowed is one")
    return str(scales[0])
