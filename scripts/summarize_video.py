"""Sums up one video: what its estimates say together, and the final verdict on each person.

Reads the measurements of every estimate, the table of sampled frames, the checks and the verdicts
of the stages before; writes `statistics.csv` (pandas' `describe()` in the units of the reports, and
the 95 % interval of the median, a row per person and measurement) and `outcome.json`. A check may
widen intervals or reject. The statistics have no rows of somebody who was rejected.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tapeless.checks import Finding, added_sd, flags, of_person, read_checks, rejection
from tapeless.intervals import load_uncertainty
from tapeless.jobs import Job
from tapeless.logs import job_log
from tapeless.measurements import load_table
from tapeless.outcomes import Outcome, check_stage
from tapeless.people import MAIN_PERSON, people_of, rows_of_person
from tapeless.seals import seal_file
from tapeless.statistics import STATISTICS_COLUMNS, scale_of, summarize
from tapeless.writing import write_json, write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def judge(stage: Path, findings: Sequence[Finding]) -> Outcome:
    """The verdict on a person: that of the last stage, or else of a check that rejects.

    Args:
        stage: the person's directory of the last stage, which hands on that of the one that
            rejected.
        findings: of the checks of the person.
    """
    outcome = Outcome.read(stage)
    return Outcome(*(rejection(findings) or ())) if outcome.is_ok else outcome


def person_verdict(
    person: int, outcome: Outcome, estimates: pd.DataFrame, findings: Sequence[Finding]
) -> dict[str, Any]:
    """What the reports say of a person besides their measurements.

    Args:
        person: their number.
        outcome: whether they could be measured.
        estimates: a row per estimate, with its `scale` and the number of its `frames`; none of
            somebody who was rejected.
        findings: of the checks of the person.
    """
    return {
        "person": person,
        "outcome": "ok" if outcome.is_ok else "rejected",
        "code": outcome.code,
        "reason": outcome.reason,
        "frames_used": int(estimates["frames"].sum()),
        "estimates": len(estimates),
        "scale": scale_of(estimates) if len(estimates) else None,
        "flags": flags(findings),
    }


def main(
    measurements: Path,
    measurements_table: Path,
    keypoints_table: Path,
    checks: Path,
    statistics: Path,
    verdict: Path,
    *,
    video: str,
    subject: str | None,
    pose_backend: str,
    shape_backend: str,
    sex: str | None = None,
    given_mass_kg: float | None = None,
    custom: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Sums up one video.

    `sex` and `given_mass_kg` are what the sheet says of person 1; `custom` are the user's own
    measurements.
    """
    check_stage(measurements)
    everybody, findings_of_all = pd.read_csv(measurements_table), read_checks(checks)
    rows, people = [], []
    for person, stage in people_of(measurements).items():
        findings = of_person(findings_of_all, person)
        outcome = judge(stage, findings)
        estimates = rows_of_person(everybody, person) if outcome.is_ok else everybody.iloc[:0]
        people.append(person_verdict(person, outcome, estimates, findings))
        frame = summarize(
            estimates,
            load_table(custom=custom),
            load_uncertainty(),
            shape_backend=shape_backend,
            added_sd=partial(added_sd, findings),
        )
        name = subject if person == MAIN_PERSON else None
        rows += frame.assign(video=video, subject=name or "", person=person).to_dict("records")
    write_table(statistics, STATISTICS_COLUMNS, rows)
    about = {
        "video": video,
        "subject": subject or "",
        "sex": sex,
        "given_mass_kg": given_mass_kg,
        "pose_backend": pose_backend,
        "shape_backend": shape_backend,
        "frames_sampled": int(pd.read_csv(keypoints_table)["frame"].nunique()),
    }
    write_json(verdict, about | people[0] | {"people": people})
    for file in (statistics, verdict):
        seal_file(file)


def run(job: Job) -> None:
    """Runs the stage as a job of its own, or as a part of one."""
    check_stage(Path(job.input.keypoints))  # whose table is read
    settled, given = job.params.settled, job.params.given
    main(
        Path(job.input.measurements),
        Path(job.input.measurements_table),
        Path(job.input.keypoints_table),
        Path(job.input.checks),
        Path(job.output.statistics),
        Path(job.output.outcome),
        video=job.wildcards.video,
        subject=given["subject"],
        pose_backend=settled["pose_backend"],
        shape_backend=settled["shape_backend"],
        sex=given["sex"],
        given_mass_kg=given["mass_kg"],
        custom=settled["custom"],
    )


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        run(snakemake)
