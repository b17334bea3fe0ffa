"""What several panels are made of: widgets that ipywidgets lacks, and what a button says."""

import html
from collections.abc import Callable
from pathlib import Path

import anywidget
from traitlets import Bytes, Float, Int, List, Unicode

from kit.errors import KitError


class ClickPicture(anywidget.AnyWidget):
    """PNG bytes drawn elsewhere, and the last clicked place; the picture of ipywidgets does not report the mouse."""

    _esm = Path(__file__).with_name("picture.js")
    kind = Unicode("kit-picture").tag(sync=True)  # its CSS class
    png = Bytes().tag(sync=True)
    alt = Unicode().tag(sync=True)  # description for screen readers; set before `png`
    pixel = List(Float(), default_value=[0.5, 0.5], minlen=2, maxlen=2).tag(sync=True)  # shares of height and width


class DropField(anywidget.AnyWidget):
    """A field for a file that is dropped onto it. Its `turn` goes up whenever a file has come; then `name`, `size` in
    bytes and `content` are those of the file.

    Of a file of more than `limit` bytes the content is empty: it is not sent by the browser.
    """

    _esm = Path(__file__).with_name("drop.js")
    words = Unicode("Drop a photograph or a short video here, or click to choose one").tag(sync=True)
    accept = Unicode("image/*,video/*").tag(sync=True)
    limit = Int(20_000_000).tag(sync=True)
    name = Unicode("").tag(sync=True)
    size = Int(0).tag(sync=True)
    content = Bytes(b"").tag(sync=True, from_json=lambda sent, _: bytes(sent))  # it comes as a memoryview
    turn = Int(0).tag(sync=True)


def outcome(action: Callable[[], str]) -> str:
    """The text that an action returns, or its KitError, as HTML."""
    try:
        text = action()
    except KitError as error:
        text = f"error: {error}"
    return f"<pre style='white-space: pre-wrap; line-height: 1.4'>{html.escape(text)}</pre>"
