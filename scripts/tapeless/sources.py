"""Which files of the library a script rests on, so that editing one reruns what depends on it."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
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
    text = module.read_text(encoding="utf-8")
    tree = ast.parse(text)
    names = {name for node in _walk_statements(tree) for name in _find_imported(node, module, root)}
    modules = {path for name in names for path in _find_modules(name, root)}
    return (*modules, *_find_data(tree, text, module))


def _walk_statements(parent: ast.AST) -> Iterator[ast.AST]:
    """All statements below one; no expressions, of which there are ten times as many."""
    for part in ("body", "orelse", "handlers", "finalbody", "cases"):
        for node in getattr(parent, part, ()):
            yield node
            yield from _walk_statements(node)


def _find_imported(node: ast.AST, module: Path, root: Path) -> Iterator[str]:
    """Dotted names that may be modules: `from a import b` may import the module `a.b`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        package = module.relative_to(root).parent.parts if node.level else ()
        above = package[: len(package) - node.level + 1]
        origin = ".".join((*above, *([node.module] if node.module else [])))
        yield from (f"{origin}.{alias.name}" for alias in node.names)


@cache
def _find_modules(name: str, root: Path) -> tuple[Path, ...]:
    """The files that importing a dotted name runs: each package's `__init__.py`, and the module."""
    package = name.rpartition(".")[0]
    above = _find_modules(package, root) if package else ()
    if package and not above:
        return ()
    path = root.joinpath(*name.split("."))
    own = (file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file())
    return (*above, *islice(own, 1))


def _find_data(tree: ast.AST, text: str, module: Path) -> Iterator[Path]:
    folders = (module.parent / "data", module.parent.parent / "data")
    mentioned = [path for folder in folders for path in folder.glob("*") if path.name in text]
    if mentioned:  # if only in a comment, perhaps
        names = {Path(value).name for value in _find_texts(tree)}
        yield from (path for path in mentioned if path.name in names)


def _find_texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            yield node.value
