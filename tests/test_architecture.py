"""The structure the README draws, kept by machine: imports point one way, and only downward."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import shammah_mlx

ROOT = Path(shammah_mlx.__file__).parent
LAYERS = (  # a module may import from the layers above it in this list, never from its own or below
    {"errors", "disk", "backend", "lexicon", "reading", "snippets", "cautions", "destruction", "secrecy", "__init__"}
    | {"classifier", "worker"},
    {"edits", "risk"},
    {"config", "events", "content", "keys"},
    {"presets", "schedules", "stream", "divergence", "tokens", "evidence", "recall", "gguf", "models.initial"}
    | {"selection"},
    {"policy", "targets", "learner", "teacher", "weights", "trust", "console", "lock", "accounts", "database"},
    {"speculation", "models.encoder", "models.decoder"},
    {"metrics", "journal", "loop", "rehearsal", "language_model", "models.pretrained"}
    | {"wire", "relay", "provenance", "agents", "counters"},
    {"states", "embedder", "ensemble", "imitator", "guard"},
    {"apprentice", "forgetting"},
    {"training"},
    {"assistant"},
    {"replay", "recovery"},
    {"report"},
    {"background", "client", "launchd", "systemd", "service"},
    {"front"},
    {"web", "desk"},
    {"undoing", "explaining", "serving", "asking", "unlocking", "supervising"},
    {"diagnosis"},
    {"cli"},
    {"__main__"},
)
LAYER = {name: depth for depth, names in enumerate(LAYERS) for name in names}


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if name != "models.__init__":
            found[name] = ast.parse(path.read_text())
    return found


def imported(tree: ast.Module) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "shammah_mlx":
            names += [f"shammah_mlx.{alias.name}" for alias in node.names if alias.name != "__version__"]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return names


@pytest.mark.parametrize("name", modules())
def test_imports_point_one_way(name: str) -> None:
    assert name in LAYER, "a new module needs a place"
    for target in imported(modules()[name]):
        if target.startswith("shammah_mlx."):
            inner = target.removeprefix("shammah_mlx.")
            assert LAYER[inner] < LAYER[name], f"{name} imports {inner}"


def test_only_the_backend_imports_mlx() -> None:
    for name, tree in modules().items():
        if name != "backend":
            assert not [target for target in imported(tree) if target.split(".")[0] == "mlx"], name


@pytest.mark.parametrize("name", ["config", "events", "policy", "schedules", "targets", "loop", "teacher", "cli"])
def test_decisions_and_entry_points_load_nothing_heavy(name: str) -> None:
    heavy = "{'mlx', 'mlx.core', 'anthropic', 'mlx_lm', 'rich', 'sacrebleu'}"
    code = f"import sys, shammah_mlx.{name}; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
