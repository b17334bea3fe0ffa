"""What the page refuses; in a browser it is tested in tests/browser."""

import pytest

pytest.importorskip("voila", reason="the extra 'serve' is not installed: pip install -e .[serve]")

from kit.deploy import page
from kit.errors import KitError


def test_a_port_that_does_not_exist_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(page, "load", lambda folder: None)
    with pytest.raises(KitError, match="port 99999 is not available .*0-65535.*; name another one with --port"):
        page.serve(tmp_path, port=99999)
