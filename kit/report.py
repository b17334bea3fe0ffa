"""An executed notebook as one HTML page that opens anywhere, without a network and without Jupyter."""

import re
from pathlib import Path

import nbformat
from jinja2 import DictLoader
from nbconvert import HTMLExporter
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from pygments.formatters import HtmlFormatter

from kit.errors import KitError
from kit.notebook import read_notebook
from kit.storage import write_bytes

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
"""A page of our own around nbconvert's cells: its full templates load scripts and styles from the network."""

CSS = """
body { margin: 0; background: #fff; color: #1f2328; font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 60rem; margin: 2rem auto 4rem; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.25; }
img { max-width: 100%; height: auto; }
pre { overflow-x: auto; margin: .3rem 0; font-size: .82rem; line-height: 1.4; }
code, pre { font-family: ui-monospace, Menlo, Consolas, monospace; }
table { border-collapse: collapse; margin: .6rem 0; font-size: .85rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #d0d7de; text-align: left; }
td[style*="right"] { white-space: nowrap; }
th { border-bottom: 2px solid #8c959f; }
details { margin: .3rem 0; font-size: .85rem; }
summary { cursor: pointer; color: #59636e; }
.highlight { padding: .2rem .8rem; border-left: 3px solid #d0d7de; }
.output_area { margin: .5rem 0; overflow-x: auto; }
.output_stderr, .output_error { color: #a40e26; }
"""

DEAD = {"application/javascript", "application/vnd.jupyter.widget-view+json"}
"""Kinds of output that need a kernel or scripts from the network; a page keeps the other kinds beside them."""

REMOTE = re.compile(
    r"""<(?:script|img|image|iframe|link|source|video|audio|embed|object)\b[^>]*?
        \b(?:src|srcset|href|data)\s*=\s*["']?\s*(?:https?:)?//[^\s"'>]+
        | <style[^>]*>[^<]*?(?:@import|url\()\s*["']?\s*(?:url\()?["']?(?:https?:)?//[^)<]+""",
    re.IGNORECASE | re.VERBOSE,
)
"""What makes a browser fetch something by itself. Links that a reader may follow are not among it."""


def to_html(notebook: str | Path, html: str | Path, title: str | None = None) -> Path:
    """Write an executed notebook as one self-contained page: pictures inside, code folded away.

    Args:
        notebook: file of a notebook that has been run.
        html: the page to write; its folder is created.
        title: of the page; None takes the notebook's first heading, or its file name.
    Returns: the path of the page.
    Raises: KitError if the notebook is missing, damaged or has not been run, or if an output would make the page
        fetch something from the network.
    """
    notebook, html = Path(notebook), Path(html)
    content = _offline(_read(notebook))
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
        raise KitError(f"{notebook}: the page would not be readable offline, for it loads {remote.group()[:120]!r}")
    html.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(html, page.encode())
    return html


def _read(path: Path) -> nbformat.NotebookNode:
    content = read_notebook(path)
    code = [cell for cell in content.cells if cell.cell_type == "code"]
    if code and all(cell.execution_count is None for cell in code):
        raise KitError(f"{path} has not been run; run it with papermill or in JupyterLab and save it first")
    return content


def _offline(content: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without outputs that a page without a network cannot show."""
    content.metadata.pop("widgets", None)
    for cell in content.cells:
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if "data" in output:
                output.data = {kind: value for kind, value in output.data.items() if kind not in DEAD}
        cell.outputs = [output for output in cell.outputs if "data" not in output or output.data]
    return content


def _heading(content: nbformat.NotebookNode) -> str | None:
    """The first line of a Markdown cell that starts with "# "."""
    for cell in content.cells:
        for line in cell.source.splitlines() if cell.cell_type == "markdown" else ():
            if line.startswith("# "):
                return line[2:].strip()
    return None
