"""What is told to containers in confidence is told to nobody else."""

from __future__ import annotations

import json

from projects import Project

SECRET = "of-my-registry-3141"


def test_a_token_in_the_variables_of_containers_is_in_no_file_but_the_users_own(project: Project):
    (project.folder / "videos/text.mp4").write_text("no video", encoding="utf-8")
    project.configure(containers={"environment": {"TOKEN": SECRET}})
    project.run("frames")
    (project.results / "summary.csv").write_text("video\n", encoding="utf-8")
    project.run("results/provenance.json", "--allowed-rules", "write_provenance")
    run = json.loads((project.results / "provenance.json").read_text(encoding="utf-8"))
    assert run["config"]["containers"]["environment"] == {"TOKEN": "(hidden)"}
    files = [path for path in project.folder.rglob("*") if path.is_file()]
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == [
        project.folder / "config/config.yaml"
    ]
