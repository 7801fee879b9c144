"""Write a stream whose replies are in other words, row by row, as if Claude never said anything the same way twice.

    python -m benchmarks.reword IN.jsonl OUT.jsonl --seed 1
    shammah replay OUT.jsonl --generator recall

All other fields stay, so the stream's truth holds. The words follow from the seed and the row's id.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.rewording import reword


def reworded(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Return the rows with their replies in other words; a row without an id goes by its line number."""
    return [
        {**row, "reply": reword(row["reply"], row["query"], seed, row.get("id") or f"line:{number}")}
        for number, row in enumerate(rows, 1)
    ]


def main() -> None:
    """Read a stream, write it in other words, and say how many replies are still verbatim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("stream", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()

    rows = [json.loads(line) for line in given.stream.read_text("utf-8").splitlines() if line.strip()]
    new = reworded(rows, given.seed)
    given.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in new), "utf-8")
    verbatim = sum(row["reply"] == other["reply"] for row, other in zip(rows, new, strict=True))
    print(f"{len(rows)} rows, {len({row['reply'] for row in new})} different replies, {verbatim} verbatim")


if __name__ == "__main__":
    main()
