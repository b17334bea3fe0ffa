"""An executed notebook as one HTML page that opens anywhere, without a network and without Jupyter."""

import re
from html import escape
from pathlib import Path

import nbformat
from jinja2 import DictLoader
from nbconvert import HTMLExporter
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from pygments.formatters import HtmlFormatter

from kit.errors import KitError
from kit.settings.notebook import read_notebook
from kit.system.storage import write_bytes

TEMPLATE = """\
{%- extends 'classic/base.html.j2' -%}

{%- block header -%}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ resources.title | escape_html }}</title>
<style>{{ resources.css }}</style>
</head>
<body>
<main>
{%- endblock header -%}

{%- block footer -%}
</main>
</body>
</html>
{% endblock footer -%}

{%- block input -%}
{%- if cell.source | trim -%}
<details><summary>Code</summary>
{{ cell.source | highlight_code(metadata=cell.metadata) }}
</details>
{%- endif -%}
{%- endblock input -%}
"""
"""Our page around nbconvert's cells, because its full templates load scripts and styles from the network."""

CSS = """
body { margin: 0; background: #fff; color: #1f2328; font: 16px/1.55 system-ui, sans-serif; overflow-x: hidden; }
main { max-width: 60rem; margin: 2rem auto 4rem; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.25; }
img { max-width: 100%; height: auto; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; font-size: .82rem; line-height: 1.4; }
code, pre { font-family: ui-monospace, Menlo, Consolas, monospace; }
table { border-collapse: collapse; margin: .6rem 0; font-size: .85rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #d0d7de; text-align: left; max-width: 34rem; }
td[style*="right"] { white-space: nowrap; }
th { border-bottom: 2px solid #8c959f; vertical-align: bottom; }
details { margin: .3rem 0; font-size: .85rem; }
summary { cursor: pointer; color: #59636e; }
.highlight { padding: .2rem .8rem; border-left: 3px solid #d0d7de; }
.output_area { margin: .5rem 0; }
.output_area:has(table) { width: max-content; min-width: 100%; max-width: calc(100vw - 3rem); overflow-x: auto;
                          margin-left: 50%; transform: translateX(-50%); }
.output_stderr, .note { color: #59636e; }
.output_error { color: #a40e26; }
"""
"""Lines wrap and tables may be as wide as the window, so that nothing is cut off. Standard error (progress bars, log
messages) is grey; red is for errors."""

NOTE = '<p class="note">The controls here need a kernel: open the notebook in JupyterLab to use them.</p>'
"""Replaces controls, which a page cannot show."""

LONGEST = 25
"""Most lines of a displayed value, such as a configuration; longer ones are folded like code."""

WIDGET = "application/vnd.jupyter.widget-view+json"

DEAD = {"application/javascript", WIDGET}
"""Types of output that need a kernel or scripts from the network; a page keeps the other types of the output."""

REMOTE = re.compile(
    r"""<(?:script|img|image|iframe|link|source|video|audio|embed|object)\b[^>]*?
        \b(?:src|srcset|href|data)\s*=\s*["']?\s*(?:https?:)?//[^\s"'>]+
        | <style[^>]*>[^<]*?(?:@import|url\()\s*["']?\s*(?:url\()?["']?(?:https?:)?//[^)<]+""",
    re.IGNORECASE | re.VERBOSE,
)
"""HTML that makes a browser load something by itself; links are allowed."""


def to_html(notebook: str | Path, html: str | Path, title: str | None = None) -> Path:
    """Write an executed notebook as one self-contained page with embedded pictures and folded code.

    Args:
        notebook: file of an executed notebook.
        html: the page to write; its folder is created.
        title: of the page; None uses the notebook's first heading, or its file name.
    Returns: the path of the page.
    Raises: KitError if the notebook is missing, damaged or not executed, or if an output would load something from the
        network.
    """
    notebook, html = Path(notebook), Path(html)
    content = read_notebook(notebook)
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    if code and all(cell.execution_count is None for cell in code):
        raise KitError(f"{notebook} has not been run; run it with papermill or in JupyterLab and save it first")
    content = _offline(content)
    exporter = HTMLExporter(
        extra_loaders=[DictLoader({"report.html.j2": TEMPLATE})],
        template_file="report.html.j2",
        embed_images=True,
        exclude_anchor_links=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    exporter.register_preprocessor(CoalesceStreamsPreprocessor, enabled=True)  # lines of one cell stay together
    page, _ = exporter.from_notebook_node(
        content,
        resources={
            "metadata": {"path": str(notebook.parent), "name": notebook.stem},
            "title": title or _heading(content) or notebook.stem,
            "css": CSS + HtmlFormatter(style="default").get_style_defs(".highlight"),
        },
    )
    remote = REMOTE.search(page)
    if remote:
        raise KitError(f"{notebook}: the page would not work offline, as it loads {remote.group()[:120]!r}")
    html.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(html, page.encode())
    return html


def _offline(content: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook for a page: without outputs that need a kernel, with long values folded, and with code without
    output joined to the code after it."""
    content.metadata.pop("widgets", None)
    cells, silent = [], []
    for cell in content.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_readable, cell.outputs) if output is not None]
            cell.source = "\n\n".join([*silent, cell.source])
            silent = [] if cell.outputs else [cell.source]
            if cells and cells[-1].cell_type == "code" and not cells[-1].outputs:
                cells.pop()
        else:
            silent = []
        cells.append(cell)
    content.cells = cells
    return content


def _readable(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """An output for a page, None if nothing of it can be shown."""
    if "data" not in output:
        return output
    left = {kind: value for kind, value in output.data.items() if kind not in DEAD}
    if set(left) <= {"text/plain"} and WIDGET in output.data:
        left = {"text/html": NOTE}
    elif set(left) == {"text/plain"} and (lines := left["text/plain"].count("\n") + 1) > LONGEST:
        text = f"<pre>{escape(left['text/plain'])}</pre>"
        left = {"text/html": f"<details><summary>{lines} lines</summary>{text}</details>"}
    output.data = left
    return output if left else None


def _heading(content: nbformat.NotebookNode) -> str | None:
    """The first line of a Markdown cell that starts with "# "."""
    for cell in content.cells:
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            if line.startswith("# "):
                return line[2:].strip()
    return None
