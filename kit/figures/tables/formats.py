"""A table in several forms: Markdown for a notebook, LaTeX for a paper, CSV for other programs, sortable HTML.

A table is a list of rows, name of each column -> value; text stays as it is, None is an empty cell, and a `Cell` has a
text and the number to sort by.
"""

import csv
import html
import io
import re
from dataclasses import dataclass

from kit.errors import KitError

ESCAPES = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$",
           "−": "$-$", "–": "--", "…": r"\dots{}", **{c: f"\\{c}" for c in "&%$#_{}"}}  # fmt: skip
"""Special characters of LaTeX -> how to write them."""


@dataclass(frozen=True)
class Cell:
    """A value as text, and the number to sort by."""

    text: str
    number: float | None = None

    def __str__(self) -> str:
        return self.text


def as_latex(table: list[dict], caption: str = "", label: str = "") -> str:
    """A `table` environment for LaTeX with the package booktabs; numbers are right-aligned."""
    names = _names(table)
    columns = "".join("r" if _numeric(table, name) else "l" for name in names)
    lines = [
        r"\begin{table}",
        r"  \centering",
        *([f"  \\caption{{{_latex(caption)}}}"] if caption else []),
        *([f"  \\label{{{label}}}"] if label else []),
        f"  \\begin{{tabular}}{{{columns}}}",
        r"    \toprule",
        f"    {' & '.join(map(_latex, names))} \\\\",
        r"    \midrule",
        *(f"    {' & '.join(_latex(_text(row.get(name))) for name in names)} \\\\" for row in table),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def as_markdown(table: list[dict]) -> str:
    """A Markdown table; numbers are right-aligned."""
    names = _names(table)
    rules = ["---:" if _numeric(table, name) else "---" for name in names]
    cells = [[_text(row.get(name)).replace("|", "\\|") for name in names] for row in table]
    return "".join(f"| {' | '.join(line)} |\n" for line in (names, rules, *cells))


def as_csv(table: list[dict]) -> str:
    """Comma-separated values with a header; a `Cell` is its number if it has one."""
    names = _names(table)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in table:
        writer.writerow(["" if (value := _value(row.get(name))) is None else value for name in names])
    return out.getvalue()


def as_sortable(table: list[dict]) -> str:
    """An HTML table that a click on a header sorts, offline; without scripts it is a plain table."""
    names = _names(table)
    heads = "".join(f'<th scope="col" title="sort by this">{html.escape(name)}</th>' for name in names)
    body = "".join(f"<tr>{''.join(_html(row.get(name)) for name in names)}</tr>" for row in table)
    return f'<div class="sortable"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{_SCRIPT}</div>'


_SCRIPT = """<style>.sortable th{cursor:pointer;white-space:nowrap}
.sortable th[aria-sort=ascending]::after{content:" \\25B2"}
.sortable th[aria-sort=descending]::after{content:" \\25BC"}.sortable td{white-space:nowrap}</style>
<script>(function(){var all=document.querySelectorAll(".sortable:not([data-ready])");
all.forEach(function(box){box.dataset.ready="1";var body=box.querySelector("tbody");
box.querySelectorAll("th").forEach(function(head,column){head.addEventListener("click",function(){
var up=head.getAttribute("aria-sort")!=="ascending";
box.querySelectorAll("th").forEach(function(other){other.removeAttribute("aria-sort")});
head.setAttribute("aria-sort",up?"ascending":"descending");
var rows=Array.prototype.slice.call(body.rows);
rows.sort(function(a,b){var x=a.cells[column],y=b.cells[column],s=x.dataset.sort,t=y.dataset.sort;
if((x.textContent==="")!==(y.textContent===""))return x.textContent===""?1:-1;
var order=s!==undefined&&t!==undefined?s-t:x.textContent.localeCompare(y.textContent,undefined,{numeric:true});
return up?order:-order});rows.forEach(function(row){body.appendChild(row)})})})})})();</script>"""
"""Empty cells come last in both directions. Several tables of one page are each set up once."""


def _names(table: list[dict]) -> list[str]:
    """All columns, in the order of their first occurrence."""
    if not table:
        raise KitError("a table needs at least one row")
    return list(dict.fromkeys(name for row in table for name in row))


def _value(value: object) -> object:
    return value.text if isinstance(value, Cell) and value.number is None else getattr(value, "number", value)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else f"{value:,}" if type(value) is int else str(value)


def _numeric(table: list[dict], name: str) -> bool:
    values = [_value(row.get(name)) for row in table]
    return any(isinstance(value, (int, float)) for value in values) and not any(isinstance(v, str) for v in values)


def _latex(text: str) -> str:
    escaped = re.sub("|".join(map(re.escape, ESCAPES)), lambda found: ESCAPES[found.group()], text)
    return re.sub(r"(?<!\w)-(?=\d)", "$-$", escaped)  # a minus, not a hyphen


def _html(value: object) -> str:
    number = _value(value)
    if isinstance(number, (int, float)):
        return f'<td data-sort="{number!r}" style="text-align:right">{html.escape(_text(value))}</td>'
    return f'<td style="text-align:left">{html.escape(_text(value))}</td>'
