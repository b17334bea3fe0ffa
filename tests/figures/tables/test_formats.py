import csv
import io
import re

import pytest

from kit.errors import KitError
from kit.figures.tables.formats import Cell, as_csv, as_latex, as_markdown, as_sortable, as_text

TABLE = [
    {"row": "a_b & 100 %", "mIoU [%]": Cell("50.10 ± 0.20", 50.1), "n": 3, "change": None},
    {"row": "<b> | c", "mIoU [%]": Cell("-1.00", -1.0), "n": 12345, "change": "-2 to +3"},
]


def test_latex_escapes_and_aligns():
    text = as_latex(TABLE, "Of 100 %", "tab:x")
    assert r"\begin{tabular}{lrrl}" in text and r"\caption{Of 100 \%}" in text and r"\label{tab:x}" in text
    assert r"a\_b \& 100 \% & 50.10 $\pm$ 0.20 & 3 &  \\" in text
    assert r"$<$b$>$ $|$ c & $-$1.00 & 12,345 & $-$2 to +3 \\" in text
    assert text.count("{") == text.count("}") and r"\toprule" in text


def test_latex_escapes_are_not_escaped_again():
    assert r"\textbackslash{}\_\{\}" in as_latex([{"x": "\\_{}"}])


def test_csv_holds_numbers():
    rows = list(csv.DictReader(io.StringIO(as_csv(TABLE))))
    assert [row["mIoU [%]"] for row in rows] == ["50.1", "-1.0"] and rows[0]["change"] == ""
    assert rows[1]["row"] == "<b> | c" and rows[1]["n"] == "12345"


def test_markdown_keeps_its_columns():
    lines = as_markdown([{**row, "IoU a|b": 0.5} for row in TABLE]).splitlines()
    assert lines[1] == "| --- | ---: | ---: | --- | ---: |" and r"\<b> \| c" in lines[3]
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 6 for line in lines)


def test_names_are_no_markdown():
    assert r"| \$a\$ \*b\* \`c\` d_e |" in as_markdown([{"row": "$a$ *b* `c` d_e"}])


def test_text_takes_the_same_rows():
    head, rule, first, second = as_text(TABLE).splitlines()
    assert head.startswith("row") and rule.startswith("---") and "[%] [%]" not in head
    assert "50.10 ± 0.20" in first and first.endswith("     3") and second.endswith("12,345  -2 to +3")


def test_shares_are_percent_in_text_and_plain_in_csv():
    table = [{"class": "sky", "share train": 0.25, "share val": None}]
    assert as_text(table).splitlines()[0] == "class  share train [%]  share val [%]"
    assert as_text(table).splitlines()[2] == "sky              25.00         absent"
    assert as_csv(table) == "class,share train,share val\nsky,0.25,\n"


def test_html_reads_offline_and_has_the_numbers_to_sort_by():
    page = as_sortable(TABLE)
    assert 'data-sort="50.1"' in page and "&lt;b&gt; | c" in page and "http" not in page
    assert page.count("<tr>") == 3 and page.count("<th ") == 4


def test_rows_may_differ_in_their_columns():
    assert as_csv([{"a": 1}, {"b": 2}]) == "a,b\n1,\n,2\n"
    with pytest.raises(KitError, match="at least one row"):
        as_csv([])
