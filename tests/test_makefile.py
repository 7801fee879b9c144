import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_path_that_the_makefile_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    paths = re.findall(r"\b(?:tests|tools|examples)/[\w/]+\.\w+", makefile)
    modules = [f"{name.replace('.', '/')}.py" for name in re.findall(r"-m (benchmarks\.\w+)", makefile)]
    assert len(paths) > 4
    assert [path for path in paths + modules if not (ROOT / path).exists()] == []
