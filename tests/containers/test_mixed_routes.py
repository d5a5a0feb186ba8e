"""Each program of the reference route by itself, beside the other half of the embedded one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from reference import PROGRAMS, REFERENCE_SHEET, ReferenceProject, make_reference_project
from tapeless.measurements import load_table


@pytest.fixture
def project(reference: ReferenceProject, tmp_path: Path) -> ReferenceProject:
    """A project with one video, of a person whose height is not known; nothing done."""
    project = make_reference_project(tmp_path / "project", reference.workstation)
    shutil.copy2(reference.folder / "videos/walk.mp4", project.folder / "videos")
    project.write_sheet(REFERENCE_SHEET[0])
    return project


@pytest.mark.parametrize(
    ("pose", "shape", "program"),
    [("openpose", "anny", "openpose"), ("mediapipe", "shapy", "shapy")],
)
def test_any_pose_backend_serves_any_shape_backend(
    project: ReferenceProject, pose: str, shape: str, program: str
):
    """The other program is not there, nor are its files, and nothing asks for them."""
    (other,) = PROGRAMS.keys() - {program}
    project.pin(**{other: None})
    project.refer(
        pose={"backend": pose, "openpose": {"models": "/nowhere"} if other == "openpose" else {}},
        shape={"backend": shape, "shapy": {"data": "/nowhere"} if other == "shapy" else {}},
    )
    project.run()
    row = project.read_summary()["walk"]
    assert (row["status"], row["pose_backend"], row["shape_backend"]) == ("measured", pose, shape)
    table = pd.read_csv(project.results / "measurements.csv").set_index("measurement")
    known = load_table()
    records = known.measurements + (known.shapy_measurements if shape == "shapy" else ())
    assert table.index.tolist() == [record.name for record in records]
    assert table["50%"].notna().all()
    provenance = project.read_provenance()
    assert provenance["containers"]["images"] == {program: project.workstation.digests[program]}
    assert set(provenance["weights"]) == {program}
    assert project.read_usage(PROGRAMS[program], "walk")["status"] == "ok"
    assert not project.usage_file(PROGRAMS[other], "walk").exists()
    assert project.plan() == {}
