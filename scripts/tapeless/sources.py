"""Which files of the library a script rests on, so that editing one reruns what depends on it."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path


def find_sources(script: Path, root: Path | None = None) -> list[Path]:
    """The library files that `script` rests on, the script itself left out, in a fixed order.

    Those are the modules of the packages in `root` (by default the script's own folder) that it
    imports, directly or through one another, wherever in the code it does; and the data files that
    these modules name.
    """
    root = root or script.parent
    found: set[Path] = set()
    pending = [script]
    while pending:
        new = set(_find_named(pending.pop(), root)) - found - {script}
        found |= new
        pending += [path for path in new if path.suffix == ".py"]
    return sorted(found)


def digest_files(files: Iterable[Path], root: Path) -> str:
    """Changes when a file's content does, or its place below `root`; not when it is only saved."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(root)}\0{_digest_file(path)}\0".encode())
    return digest.hexdigest()[:16]


@cache
def _digest_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _find_named(module: Path, root: Path) -> tuple[Path, ...]:
    """What one module imports from below `root`, and the data files whose names it holds."""
    nodes = list(ast.walk(ast.parse(module.read_bytes())))
    names = {name for node in nodes for name in _find_imported(node, module, root)}
    modules = {path for name in names for path in _find_modules(name, root)}
    return (*modules, *_find_data(nodes, module))


def _find_imported(node: ast.AST, module: Path, root: Path) -> Iterator[str]:
    """Dotted names that may be modules: `from a import b` may import the module `a.b`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = module.relative_to(root).parent.parts if node.level else ()
        above = package[: len(package) - node.level + 1]
        origin = ".".join((*above, *([node.module] if node.module else [])))
        yield from (f"{origin}.{alias.name}" for alias in node.names)


def _find_modules(name: str, root: Path) -> Iterator[Path]:
    """The files that importing a dotted name runs: each package's `__init__.py`, and the module."""
    path = root
    for part in name.split("."):
        path = path / part
        if (path / "__init__.py").is_file():
            yield path / "__init__.py"
        elif path.with_suffix(".py").is_file():
            yield path.with_suffix(".py")


def _find_data(nodes: Iterable[ast.AST], module: Path) -> Iterator[Path]:
    texts = {
        Path(node.value).name
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200
    }
    folders = (module.parent / "data", module.parent.parent / "data")
    yield from (path for folder in folders for path in folder.glob("*") if path.name in texts)
