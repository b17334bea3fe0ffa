import base64
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kit.batch.html_page import NOTE, to_html
from kit.errors import KitError

PNG = base64.b64encode(b"\x89PNG not really").decode()
WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}}


def write(path, *cells):
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def display(**data):
    return new_output("display_data", {key.replace("__", "/"): value for key, value in data.items()})


def run_cell(source="x = 1 < 2", outputs=(), count=1):
    return new_code_cell(source, outputs=list(outputs), execution_count=count)


def test_the_page_holds_everything(tmp_path):
    notebook = write(
        tmp_path / "run.ipynb",
        new_markdown_cell("# Which method?\n\nSee [the paper](https://example.org/paper)."),
        run_cell(outputs=[display(image__png=PNG), display(text__html="<table><tr><td>61.5</td></tr></table>")]),
    )
    page = to_html(notebook, tmp_path / "new" / "run.html").read_text()
    assert "<title>Which method?</title>" in page
    assert f"data:image/png;base64,{PNG}" in page and "61.5" in page
    assert 'href="https://example.org/paper"' in page
    assert "<details><summary>Code</summary>" in page and "<script" not in page
    assert not re.search(r'(src|<link[^>]*href)="http', page)


def test_title_may_be_given(tmp_path):
    page = to_html(write(tmp_path / "a.ipynb", run_cell()), tmp_path / "a.html", title="A < B").read_text()
    assert "<title>A &lt; B</title>" in page


def test_pictures_beside_the_notebook_are_embedded(tmp_path):
    (tmp_path / "plot.png").write_bytes(b"\x89PNG")
    notebook = write(tmp_path / "a.ipynb", new_markdown_cell("![plot](plot.png)"), run_cell())
    page = to_html(notebook, tmp_path / "elsewhere" / "a.html").read_text()
    assert 'src="plot.png"' not in page and "data:image/png;base64," in page


def test_controls_become_a_note_and_scripts_are_left_out(tmp_path):
    controls = new_output("display_data", {**WIDGET, "text/plain": "VBox(children=(ToggleButtons(index=1"})
    drawn = new_output("display_data", {**WIDGET, "text/plain": "Image(value=b'", "image/png": PNG})
    outputs = [new_output("display_data", WIDGET), controls, drawn, display(application__javascript="alert(1)")]
    page = to_html(write(tmp_path / "a.ipynb", run_cell(outputs=outputs)), tmp_path / "a.html").read_text()
    assert page.count(NOTE) == 2 and page.count("data:image/png") == 1
    assert not any(word in page for word in ("VBox", "Image(", "widget", "alert"))


def test_long_values_are_folded_and_code_without_output_is_joined(tmp_path):
    config = new_output("execute_result", {"text/plain": "{'recipe': '<demo>',\n" + " 'x': 1,\n" * 100 + "}"})
    short = new_output("execute_result", {"text/plain": "{'recipe': 'camvid'}"})
    cells = [run_cell("first = 1"), run_cell("second = 2"), run_cell("config", [config]), run_cell("short", [short])]
    page = to_html(write(tmp_path / "a.ipynb", *cells), tmp_path / "a.html").read_text()
    assert page.count("<summary>Code</summary>") == 2 and page.count("<summary>102 lines</summary>") == 1
    assert "&lt;demo&gt;" in page.split("<summary>102 lines</summary>")[1].split("</details>")[0]
    assert page.index("first") < page.index("second") < page.index("102 lines") < page.index("camvid")
    assert "<details><summary>Code" in page.split("102 lines")[1] and "camvid" in page.split("</details>")[-1]


def test_nothing_is_cut_and_progress_is_not_red(tmp_path):
    bar = new_output("stream", name="stderr", text="decoding: 100% 54/54")
    page = to_html(write(tmp_path / "a.ipynb", run_cell(outputs=[bar])), tmp_path / "a.html").read_text()
    red = re.search(r"([^}]*)\{ color: #a40e26; \}", page).group(1)
    assert "output_error" in red and "output_stderr" not in red and "output_stderr" in page.split("<main>")[1]
    assert re.search(r"\bpre \{[^}]*white-space: pre-wrap", page)


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example.org/x.js"></script>',
        "<img alt='x' src='http://example.org/x.png'>",
        '<link rel="stylesheet" href="//example.org/x.css">',
        "<style>@import url('https://example.org/x.css');</style>",
    ],
)
def test_what_needs_the_network_is_refused(tmp_path, html):
    notebook = write(tmp_path / "a.ipynb", run_cell(outputs=[display(text__html=html)]))
    with pytest.raises(KitError, match="offline"):
        to_html(notebook, tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


def test_code_that_mentions_such_things_is_fine(tmp_path):
    source = """html = '<img src="https://example.org/x.png">'  # url(https://example.org)"""
    assert to_html(write(tmp_path / "a.ipynb", run_cell(source)), tmp_path / "a.html").is_file()


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(KitError, match="no notebook"):
        to_html(tmp_path / "gone.ipynb", tmp_path / "a.html")
    (tmp_path / "broken.ipynb").write_text("{")
    with pytest.raises(KitError, match="not a notebook"):
        to_html(tmp_path / "broken.ipynb", tmp_path / "a.html")
    with pytest.raises(KitError, match="has not been run"):
        to_html(write(tmp_path / "a.ipynb", run_cell(count=None)), tmp_path / "a.html")
