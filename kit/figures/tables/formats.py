"""A table in several forms: text for a terminal, Markdown for a notebook, LaTeX for a paper, CSV for other programs,
sortable HTML.

A table is a list of rows, each a dictionary of column name -> value. Text stays as it is, None is an empty cell, and a
`Cell` has a text and the number to sort by. In text and Markdown, numbers in columns of SHARES are percent.
"""

import csv
import html
import io
import re
from dataclasses import dataclass

from kit.errors import KitError

ESCAPES = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$",
           "−": "$-$", "–": "--", "…": r"\dots{}", "<": "$<$", ">": "$>$", "|": "$|$",
           **{c: f"\\{c}" for c in "&%$#_{}"}}  # fmt: skip
"""Special characters of LaTeX -> how to write them."""

SHARES = ("mIoU", "IoU", "share")
"""Columns that begin with one of these and have no unit hold shares in 0..1; None is a class that does not occur."""

ABSENT = "absent"
"""Text for a class that neither truth nor predictions contain."""


@dataclass(frozen=True)
class Cell:
    """A value as text, and the number to sort by."""

    text: str
    number: float | None = None

    def __str__(self) -> str:
        return self.text


def percent_cell(share: float, form: str = ".2f") -> Cell:
    """A share in percent, or a difference of shares in points."""
    return Cell(f"{100 * share:{form}}", round(100 * share, 4))


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
    heads, cells, right = _columns(table)
    rules = ["---:" if numeric else "---" for numeric in right]
    heads, *cells = [[re.sub(r"[\\`*<$|]", r"\\\g<0>", text) for text in line] for line in (heads, *cells)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (heads, rules, *cells))


def as_text(table: list[dict]) -> str:
    """Columns for a terminal; numbers are right-aligned."""
    heads, cells, right = _columns(table)
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    lines = [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in (heads, ["-" * w for w in widths], *cells)
    ]
    return "\n".join(lines) + "\n"


def as_csv(table: list[dict]) -> str:
    """Comma-separated values with a header; a `Cell` is written as its number if it has one."""
    names = _names(table)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in table:
        writer.writerow(["" if (value := _value(row.get(name))) is None else value for name in names])
    return out.getvalue()


def as_sortable(table: list[dict]) -> str:
    """An HTML table that works offline: a click on a header sorts it; without JavaScript it is a plain table."""
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
"""Empty cells come last in both directions. On a page with several tables, each is set up once."""


def _columns(table: list[dict]) -> tuple[list[str], list[list[str]], list[bool]]:
    """Heads, cells as text, and whether each column is right-aligned; shares in percent, seconds whole."""
    names = _names(table)
    shares = {name for name in names if name.startswith(SHARES) and not name.endswith("]")}
    heads = [f"{name} [%]" if name in shares else name for name in names]
    write = {name: _percent if name in shares else _whole if name.endswith("seconds") else _text for name in names}
    cells = [[write[name](row.get(name)) for name in names] for row in table]
    return heads, cells, [name in shares or _numeric(table, name) for name in names]


def _percent(share: object) -> str:
    return ABSENT if share is None else f"{100 * share:.2f}" if isinstance(share, (int, float)) else _text(share)


def _whole(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) else _text(value)


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
