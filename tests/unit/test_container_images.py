"""The recipes of the images: clean, and in step with what tapeless runs and what the pages say."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tapeless.containers import ImageEntry, load_images
from tapeless.pose.openpose import Options, build_arguments
from tapeless.pose.openpose_models import find_missing_models
from tapeless.shape.shapy_files import find_missing_files
from tapeless.shape.shapy_workplace import Workplace

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "containers"
IMAGES = load_images(ROOT / "tests/images.yaml")  # which no pins lie beside
LICENSED = ["openpose", "shapy"]
DOCKERFILES = sorted(
    [*RECIPES.glob("*/Dockerfile"), *(ROOT / "tests/containers/standins").glob("*/Dockerfile")]
)
PAGES = [ROOT / "docs/reference-route.md", *sorted(RECIPES.glob("*/README.md"))]
SECTIONS = ["Build", "What is in it", "Test by hand", "Apptainer", "Licence"]
LAST_SECTION = "What was tried, and what was not"


def dockerfile(program: str) -> str:
    """A recipe with its continued lines joined."""
    text = (RECIPES / program / "Dockerfile").read_text(encoding="utf-8")
    return text.replace("\\\n", "")


def page(program: str) -> str:
    return (ROOT / IMAGES[program].page).read_text(encoding="utf-8")


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)


def anchor(heading: str) -> str:
    """The name by which a heading is linked to."""
    return re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")


def defaults(program: str) -> dict[str, str]:
    """The build arguments of a recipe that have a default."""
    return dict(re.findall(r'^ARG (\w+)="?([^"\n]+)"?$', dockerfile(program), flags=re.MULTILINE))


def last_stage(program: str) -> str:
    return dockerfile(program).rsplit("\nFROM ", 1)[1]


def command_by_hand(program: str) -> list[str]:
    """The words of the page's command that runs the program in its image."""
    section = page(program).split("## Test by hand")[1].split("\n## ")[0]
    (command,) = re.findall(r"^docker run (.+)$", section.replace("\\\n", ""), flags=re.MULTILINE)
    return command.split()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="no hadolint for this processor")
@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT).parent))
def test_the_linter_finds_nothing(path: Path):
    hadolint = Path(sys.executable).with_name("hadolint")
    command = [hadolint, "--no-color", path.relative_to(ROOT)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.stdout, found.returncode) == ("", 0), found.stdout + found.stderr


def test_every_program_has_a_recipe_and_a_page():
    assert {path.parent.name for path in RECIPES.glob("*/Dockerfile")} == set(IMAGES)
    assert all(entry.page == f"containers/{name}/README.md" for name, entry in IMAGES.items())


@pytest.mark.parametrize("entry", IMAGES.values(), ids=list(IMAGES))
class TestRecipe:
    def test_no_digest_is_given_of_what_nobody_has_built(self, entry: ImageEntry):
        assert entry.docker.digest is None
        assert entry.apptainer.digest is None

    def test_it_runs_as_nobody_and_leaves_the_command_to_the_job(self, entry: ImageEntry):
        assert re.findall(r"^USER (\S+)$", last_stage(entry.name), re.MULTILINE) == ["65534:65534"]
        assert re.search(r"^ENTRYPOINT \[\]$", last_stage(entry.name), re.MULTILINE)

    def test_the_program_is_where_jobs_look_for_it(self, entry: ImageEntry):
        folders = re.findall(r"^WORKDIR (\S+)$", last_stage(entry.name), re.MULTILINE)
        assert (folders or ["/"]) == [entry.workdir]
        command = re.search(r"^CMD (\[.+\])$", last_stage(entry.name), re.MULTILINE)
        assert command is not None
        words = yaml.safe_load(command[1])
        assert tuple(words[: len(entry.program)]) == entry.program

    def test_the_page_builds_the_image_that_jobs_run(self, entry: ImageEntry):
        builds = re.findall(r"^docker build (.+)$", page(entry.name), re.MULTILINE)
        assert len(builds) == 1
        assert builds[0].endswith(f"--tag {entry.docker.image} containers/{entry.name}")
        given = " --configfile config/reference.yaml" if entry.name in LICENSED else ""
        assert f"\ntapeless pin {entry.name}{given}\n" in page(entry.name)
        assert f"docker-daemon://{entry.docker.image}\n" in page(entry.name)

    def test_the_page_says_all_that_it_has_to(self, entry: ImageEntry):
        found = headings(page(entry.name))
        assert set(SECTIONS) <= set(found)
        assert found[-1] == LAST_SECTION
        assert "**Not tried by us**" in page(entry.name).split(LAST_SECTION)[1]

    def test_the_page_gives_the_defaults_of_the_recipe(self, entry: ImageEntry):
        given = {
            name: value
            for name, value in defaults(entry.name).items()
            if name not in ("DEVEL", "RUNTIME", "I_ACCEPT_THE_LICENCE")
        }
        assert [v for v in given.values() if f"`{v}`" not in page(entry.name)] == []


@pytest.mark.parametrize("program", LICENSED)
class TestLicence:
    def test_it_has_to_be_accepted_before_anything_else(self, program: str):
        steps = re.findall(r"^RUN (.+)$", dockerfile(program), re.MULTILINE)
        assert "I_ACCEPT_THE_LICENCE" in steps[0]
        assert defaults(program)["I_ACCEPT_THE_LICENCE"] == "no"
        assert "--build-arg I_ACCEPT_THE_LICENCE=yes" in page(program)

    def test_the_page_forbids_to_hand_the_image_on(self, program: str):
        assert "**Do not push this image to any registry.**" in page(program)

    def test_the_source_is_pinned_to_a_commit(self, program: str):
        commits = {k: v for k, v in defaults(program).items() if k.endswith("_COMMIT")}
        assert commits
        assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in commits.values())

    def test_no_weights_come_into_the_image(self, program: str):
        sources = re.findall(r"https://[^\s\"]+\.git", dockerfile(program))
        assert len(sources) == 1
        assert not re.search(r"^ADD |curl|wget|download_data|getModels", dockerfile(program), re.M)
        switches = re.findall(r"-DDOWNLOAD_\w+=(\w+)", dockerfile(program))
        assert set(switches) <= {"OFF"}


class TestByHand:
    """What a page tells its reader to type is what tapeless runs."""

    def test_openpose_is_given_the_same_options(self):
        entry, command = IMAGES["openpose"], command_by_hand("openpose")
        words = command[command.index(entry.docker.image) + 1 :]
        options = Options(
            min_confidence=0.3,
            net_resolution="-1x368",
            number_people_max=None,
            face=False,
            hands=False,
            pictures=False,
        )
        own = list(build_arguments(Path("/job/frames"), Path("/models"), Path("/job"), options))
        assert f"{entry.workdir}/{words[0]}" == entry.program[0]
        assert sorted(zip(words[1::2], words[2::2], strict=True)) == sorted(
            zip(own[::2], own[1::2], strict=True)
        )

    def test_shapy_is_given_the_same_options(self):
        entry, command = IMAGES["shapy"], command_by_hand("shapy")
        words = command[command.index(entry.docker.image) + 1 :]
        workplace = Workplace(Path("/place"), Path("/data"), "/opt/shapy/data")
        own = [
            # a page has one folder for what jobs have three for
            re.sub(r"/place/(inputs|scratch(?=/))/?", "/job/", word).rstrip("/")
            for word in workplace.arguments(meshes=False, pictures=False)
        ]
        assert tuple(words[: len(entry.program)]) == entry.program
        assert sorted(words[len(entry.program) :]) == sorted(own)

    @pytest.mark.parametrize("program", IMAGES)
    def test_the_container_is_as_closed_as_that_of_a_job(self, program: str):
        command = " ".join(command_by_hand(program))
        assert "--network none --read-only --tmpfs /tmp --user" in command


class TestDownloads:
    def test_the_page_of_openpose_names_each_model_and_its_checksum(self, tmp_path: Path):
        needed = find_missing_models(tmp_path, {"face": True, "hands": True})
        weights = [file for file in needed if file.target.endswith(".caffemodel")]
        assert len(weights) == 3
        for file in weights:
            (checksum,) = re.findall(r"[0-9a-f]{32}", file.source)
            (row,) = [row for row in page("openpose").splitlines() if f"| `{file.target}`" in row]
            assert f"`{checksum}`" in row
        assert all("pose_deploy.prototxt" in file.target for file in needed if file not in weights)
        assert "`pose_deploy.prototxt`" in page("openpose")

    def test_the_page_of_shapy_names_where_each_file_goes(self, tmp_path: Path):
        targets = [file.target for file in find_missing_files(tmp_path)]
        named = re.findall(r"`data/([\w./]+)`", page("shapy"))
        assert [t for t in targets if not any(t.startswith(folder) for folder in named)] == []


class TestPackagesOfShapy:
    def test_all_are_locked_at_the_versions_asked_for_with_checksums(self):
        asked = (RECIPES / "shapy/requirements.in").read_text(encoding="utf-8")
        locked = (RECIPES / "shapy/requirements.txt").read_text(encoding="utf-8")
        pins = dict(re.findall(r"^([\w.-]+)==(\S+) \\\n    --hash=sha256:", locked, re.MULTILINE))
        wanted = re.findall(r"^([\w.-]+)==(\S+)$", asked, re.MULTILINE)
        assert len(wanted) >= 28
        assert [f"{n}=={v}" for n, v in wanted if pins.get(n.lower()) != v] == []
        assert len(pins) == len(re.findall("==", locked))

    def test_the_installer_takes_what_they_need(self):
        installed = dict(re.findall(r"(pip|setuptools|wheel)==([\d.]+)", dockerfile("shapy")))
        assert tuple(map(int, installed["pip"].split("."))) < (24, 1)
        locked = (RECIPES / "shapy/requirements.txt").read_text(encoding="utf-8")
        assert all(f"\n{n}=={installed[n]} " in locked for n in ("setuptools", "wheel"))


def test_the_page_of_the_route_builds_the_same_images():
    route = (ROOT / "docs/reference-route.md").read_text(encoding="utf-8")
    builds = re.findall(r"^ *(docker build .+)$", route, re.MULTILINE)
    assert len(builds) == len(LICENSED)
    assert all(f"\n{build}\n" in page(p) for p, build in zip(LICENSED, builds, strict=True))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path):
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        name, _, part = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        if part:
            assert part in map(anchor, headings(target.read_text(encoding="utf-8"))), link
