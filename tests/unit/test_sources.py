"""What a script rests on: found by reading its imports, so that nobody has to keep a list."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tapeless.sources import digest_files, find_sources

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder of scripts with a small library beside them."""
    files = {
        "work.py": "import json\nimport numpy\nfrom lib.a import f\n",
        "lib/__init__.py": "",
        "lib/a.py": "from lib.deep import b\n",
        "lib/deep/__init__.py": "",
        "lib/deep/b.py": "from .c import x\nfrom .. import d\nTABLE = 'numbers.csv'\n",
        "lib/deep/c.py": "",
        "lib/d.py": "def late():\n    import lib.e\n",
        "lib/e.py": "",
        "lib/unused.py": "import lib.a\n",
        "lib/data/numbers.csv": "1\n",
        "lib/data/others.csv": "2\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path


def names(scripts: Path, script: str) -> set[str]:
    return {str(path.relative_to(scripts)) for path in find_sources(scripts / script)}


def test_modules_are_found_however_they_are_imported(scripts: Path):
    assert names(scripts, "work.py") == {
        "lib/__init__.py",
        "lib/a.py",  # imported
        "lib/deep/__init__.py",  # the package of a module that is
        "lib/deep/b.py",  # from a package
        "lib/deep/c.py",  # relatively
        "lib/d.py",  # relatively, from the package above
        "lib/e.py",  # inside a function
        "lib/data/numbers.csv",  # named by a module
    }


def test_the_order_is_always_the_same(scripts: Path):
    found = find_sources(scripts / "work.py")
    assert found == sorted(found)


def test_a_script_that_imports_nothing_of_the_library_rests_on_nothing(scripts: Path):
    (scripts / "alone.py").write_text("import os\n", encoding="utf-8")
    assert names(scripts, "alone.py") == set()


def test_modules_that_import_one_another_come_to_an_end(scripts: Path):
    (scripts / "lib/d.py").write_text("import lib.deep.b\n", encoding="utf-8")
    assert "lib/d.py" in names(scripts, "work.py")


def test_a_script_that_imports_a_sibling_rests_on_it_but_not_on_itself(scripts: Path):
    (scripts / "other.py").write_text("import work\nimport other\n", encoding="utf-8")
    assert {"work.py", "lib/a.py"} <= names(scripts, "other.py")
    assert "other.py" not in names(scripts, "other.py")


LOADED = """
import json, sys
sys.path.insert(0, sys.argv[1])
loaded = {}
for script in sys.argv[2:]:
    for name in [name for name in sys.modules if name.split(".")[0] == "tapeless"]:
        del sys.modules[name]
    __import__(script)
    ours = {name: m for name, m in sys.modules.items() if name.split(".")[0] == "tapeless"}
    loaded[script] = sorted(module.__file__ for module in ours.values())
print(json.dumps(loaded))
"""


def test_every_stage_rests_on_what_its_process_really_loads():
    """Python itself is asked: whatever importing a script loads must have been found."""
    scripts = sorted(path.stem for path in SCRIPTS.glob("*.py"))
    command = [sys.executable, "-c", LOADED, str(SCRIPTS), *scripts]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {stem: set(map(Path, files)) for stem, files in json.loads(run.stdout).items()}
    assert {stem: loaded[stem] - set(find_sources(SCRIPTS / f"{stem}.py")) for stem in scripts} == {
        stem: set() for stem in scripts
    }


class TestDigest:
    @pytest.fixture
    def files(self, scripts: Path) -> list[Path]:
        return find_sources(scripts / "work.py")

    def digest_after(self, scripts: Path, files: list[Path], change: str) -> tuple[str, str]:
        """Before and after a change, each told by a process of its own, as one run and the next."""
        code = (
            "import sys; from pathlib import Path; from tapeless.sources import digest_files; "
            "root, *files = map(Path, sys.argv[1:]); print(digest_files(files, root))"
        )
        command = [sys.executable, "-c", code, str(scripts), *map(str, files)]
        told = partial(subprocess.run, command, capture_output=True, text=True, check=True)
        before = told(env=os.environ | {"PYTHONPATH": str(SCRIPTS)}).stdout
        with files[0].open("a", encoding="utf-8") as file:
            file.write(change)
        return before, told(env=os.environ | {"PYTHONPATH": str(SCRIPTS)}).stdout

    def test_it_changes_with_a_file(self, scripts: Path, files: list[Path]):
        before, after = self.digest_after(scripts, files, "# edited\n")
        assert before != after

    def test_it_stays_when_a_file_is_only_saved(self, scripts: Path, files: list[Path]):
        before, after = self.digest_after(scripts, files, "")
        assert before == after

    def test_it_stays_when_the_project_moves(self, scripts: Path, files: list[Path]):
        elsewhere = shutil.copytree(scripts, scripts.with_name("elsewhere"))
        moved = [elsewhere / path.relative_to(scripts) for path in files]
        assert digest_files(files, scripts) == digest_files(moved, elsewhere)

    def test_it_changes_when_a_file_is_there_no_more(self, scripts: Path, files: list[Path]):
        assert digest_files(files, scripts) != digest_files(files[1:], scripts)
