"""The structure that docs/architecture.md draws: packages import downward only, and nothing imports in a circle."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import shammah_mlx

ROOT = Path(shammah_mlx.__file__).parent
GROUND = {"config", "presets", "errors", "events", "files", "numerics"}
MAY_IMPORT = {
    "text": GROUND,
    "models": GROUND,
    "teacher": GROUND,
    "risk": GROUND,
    "daemon": GROUND,
    "transcripts": GROUND,
    "framework": GROUND | {"text", "models", "teacher", "risk", "daemon"},
}
MAY_IMPORT["learners"] = MAY_IMPORT["framework"] | {"framework"}
MAY_IMPORT["home"] = MAY_IMPORT["learners"] | {"learners", "transcripts"}
MAY_IMPORT["server"] = MAY_IMPORT["home"] | {"home"}
MAY_IMPORT["display"] = MAY_IMPORT["home"] | {"home"}
MAY_IMPORT["cli"] = MAY_IMPORT["server"] | {"server", "display"}


def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of every module, by its dotted name without `shammah_mlx`."""
    paths = (path for path in sorted(ROOT.rglob("*.py")) if path.stem not in ("__init__", "__main__"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text()) for path in paths}


MODULES = modules()


def imported(tree: ast.Module) -> set[str]:
    """Return the modules that a module imports, ours without `shammah_mlx`; imports inside functions count."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.removeprefix("shammah_mlx.") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = (node.module or "").removeprefix("shammah_mlx").removeprefix(".")
            from_package = {f"{inner}.{alias.name}".removeprefix(".") for alias in node.names}
            names |= (from_package & MODULES.keys()) or {inner}
    return names


def test_every_package_has_its_place() -> None:
    assert {name.split(".")[0] for name in MODULES} == GROUND | MAY_IMPORT.keys()


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_downward_only(package: str) -> None:
    for name, tree in MODULES.items():
        if name.startswith(f"{package}."):
            ours = {target.split(".")[0] for target in imported(tree)} & (GROUND | MAY_IMPORT.keys())
            assert ours <= MAY_IMPORT[package] | {package}, name


def test_the_ground_imports_only_the_ground() -> None:
    for name in GROUND:
        assert not {target.split(".")[0] for target in imported(MODULES[name])} & MAY_IMPORT.keys(), name


def test_no_import_is_circular() -> None:
    graphlib.TopologicalSorter({name: imported(tree) & MODULES.keys() for name, tree in MODULES.items()}).prepare()


def test_the_architecture_page_shows_every_module() -> None:
    page = (ROOT.parent / "docs" / "architecture.md").read_text()
    folders = re.findall(r"^shammah_mlx/(\w*)/? .*\n((?: +\w+\.py .*\n)+)", page, re.MULTILINE)
    shown = {f"{folder}.{name}".strip(".") for folder, files in folders for name in re.findall(r"(\w+)\.py ", files)}
    assert shown >= MODULES.keys()


def test_only_the_backend_imports_mlx() -> None:
    for name, tree in MODULES.items():
        if name != "models.backend":
            assert not [target for target in imported(tree) if target.split(".")[0] == "mlx"], name


@pytest.mark.parametrize("name", ["config", "events", "framework.loop", "risk.accounts", "teacher.claude", "cli.main"])
def test_decisions_and_entry_points_load_nothing_heavy(name: str) -> None:
    heavy = "{'mlx', 'mlx.core', 'anthropic', 'mlx_lm', 'rich', 'sacrebleu'}"
    code = f"import sys, shammah_mlx.{name}; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
