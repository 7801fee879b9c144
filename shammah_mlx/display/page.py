"""Write the page of `shammah report`: one HTML file that loads nothing, with the figures of `figures`. Pure."""

from datetime import UTC, datetime
from html import escape

from shammah_mlx.config import Config
from shammah_mlx.display import figures
from shammah_mlx.display.figures import Figure
from shammah_mlx.display.money import in_dollars
from shammah_mlx.display.report import counted
from shammah_mlx.home.curves import Curves
from shammah_mlx.home.overview import Overview

STYLE = """
:root { color-scheme: light dark; --back: #fbfbf9; --card: #ffffff; --ink: #1d1d1f; --soft: #5d5d63; --edge: #dcdcd6;
  --s0: #0b5cad; --s1: #b0470a; --s2: #1b7a4b; --s3: #6a6a70; --band: #0b5cad26; }
@media (prefers-color-scheme: dark) { :root { --back: #161618; --card: #1f1f22; --ink: #ececee; --soft: #a6a6ad;
  --edge: #38383d; --s0: #6cb2ff; --s1: #ffab66; --s2: #6fd6a2; --s3: #a0a0a8; --band: #6cb2ff33; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.1rem; line-height: 1.3; margin: 0 0 4px; }
p { margin: 0 0 8px; } .soft, figcaption, dt { color: var(--soft); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 20px 0; }
dl div, figure { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; padding: 14px 16px; }
dt { font-size: .85rem; } dd { margin: 0; font-size: 1.45rem; font-weight: 600; line-height: 1.3; }
dd small { display: block; font-size: .8rem; font-weight: 400; color: var(--soft); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 16px; }
figure { margin: 0; min-width: 0; } figcaption { font-size: .9rem; }
.chart { display: block; width: 100%; height: auto; margin: 8px 0; } .chart text { fill: var(--soft); font-size: 14px; }
.grid { stroke: var(--edge); } .line { fill: none; stroke-width: 2.2; stroke-linejoin: round; }
.line.s0 { stroke: var(--s0); } .line.s1 { stroke: var(--s1); stroke-dasharray: 8 4; }
.line.s2 { stroke: var(--s2); stroke-dasharray: 2.5 3.5; } .line.s3 { stroke: var(--s3); stroke-width: 1.6;
  stroke-dasharray: 12 4 2 4; }
.mark.s0, .bar.s0 { fill: var(--s0); } .mark.s1 { fill: var(--s1); } .mark.s2 { fill: var(--s2); }
.bar.s1 { fill: var(--card); stroke: var(--s1); stroke-width: 2; stroke-dasharray: 4 2; }
.band { fill: var(--band); stroke: var(--s0); stroke-width: .8; stroke-dasharray: 2 3; }
.key { display: flex; flex-wrap: wrap; gap: 2px 18px; list-style: none; margin: 0 0 8px; padding: 0;
  font-size: .88rem; }
.key li { display: flex; gap: 6px; } .key svg { flex: none; margin-top: 3px; }
details { font-size: .88rem; } summary { cursor: pointer; color: var(--soft); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin-top: 6px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 10px; border-bottom: 1px solid var(--edge); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
@media (max-width: 520px) { figure { padding: 12px; } .chart text { font-size: 16px; } }
@media print { figure { break-inside: avoid; } }
"""


def page(overview: Overview, curves: Curves, config: Config, now: float) -> str:
    """Return the page. It holds numbers and the names of models, and no text of a question or an answer."""
    made = datetime.fromtimestamp(now, UTC).strftime("%B %-d, %Y, %H:%M UTC")
    shown = "".join(_figure(each) for each in figures.all_figures(overview, curves, config))
    recorded = (
        "<p>These questions come from a recorded stream: nobody paid for them.</p>" if overview.money.recorded else ""
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>What shammah learnt</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>What shammah learnt</h1>
<p class="soft">Made on {made}. It holds numbers, and no question and no answer.</p>
{recorded}
{_tiles(overview)}
<div class="figures">
{shown}
</div>
</main>
</body>
</html>
"""


def _tiles(overview: Overview) -> str:
    """Return the few numbers that people ask for first."""
    here = sum(block.local for block in overview.history.blocks)
    asked = sum(block.queries for block in overview.history.blocks)
    saved = "-" if overview.money.saved_usd is None else in_dollars(overview.money.saved_usd)
    saving = "no answer without a call yet"
    if overview.money.saved_calls:
        saving = f"by estimate: {counted(overview.money.saved_calls, 'answer')} without a call"
    unpriced = f", without {counted(overview.unpriced_calls, 'unpriced call')}" if overview.unpriced_calls else ""
    spent = ("would have cost", "by list prices") if overview.money.recorded else ("spent", "on answers and checks")
    allowed = "nothing is promised" if overview.max_bad_rate is None else "of the local ones, in the long run"
    imported = f"and {overview.imported:,} imported; " if overview.imported else ""
    tiles = (
        ("questions", f"{asked:,}", f"{imported}{_learnt(overview)}"),
        ("answered here", f"{here / asked:.0%}" if asked else "-", counted(here, "answer")),
        (spent[0], in_dollars(overview.spent_usd), spent[1] + unpriced),
        ("would have saved" if overview.money.recorded else "saved", saved, saving),
        ("bad answers allowed", _allowed(overview), allowed),
    )
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in tiles
    )
    return f"<dl>{cells}</dl>"


def _learnt(overview: Overview) -> str:
    return f"{overview.pending:,} not learnt yet" if overview.pending else "all learnt"


def _allowed(overview: Overview) -> str:
    return "any" if overview.max_bad_rate is None else f"{overview.max_bad_rate:.1%}"


def _figure(figure: Figure) -> str:
    """Return one figure: what it shows, the drawing with its key, and its numbers as a table."""
    head = f"<h2>{escape(figure.name)}</h2><figcaption>{escape(figure.says)}</figcaption>"
    if figure.drawn is None:
        return f"<figure>{head}<p>{escape(figure.instead)}</p></figure>"
    names = "".join(f'<th scope="col">{escape(column)}</th>' for column in figure.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in figure.rows)
    table = f'<div class="scroll"><table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table></div>'
    return f"<figure>{head}{figure.drawn}{figure.key}<details><summary>Numbers</summary>{table}</details></figure>"
