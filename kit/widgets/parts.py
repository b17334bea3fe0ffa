"""Parts that several panels share: widgets that ipywidgets lacks, and the text shown after a button is clicked."""

import html
from collections.abc import Callable
from pathlib import Path

import anywidget
from traitlets import Bytes, Float, Int, List, Unicode

from kit.errors import KitError


class ClickPicture(anywidget.AnyWidget):
    """A PNG, drawn elsewhere, that reports the last clicked place; the image of ipywidgets does not report clicks."""

    _esm = Path(__file__).with_name("picture.js")
    kind = Unicode("kit-picture").tag(sync=True)  # its CSS class
    png = Bytes().tag(sync=True)
    alt = Unicode().tag(sync=True)  # description for screen readers; set before `png`
    pixel = List(Float(), default_value=[0.5, 0.5], minlen=2, maxlen=2).tag(sync=True)  # shares of height and width


class DropField(anywidget.AnyWidget):
    """A field onto which a file is dropped. For each file it sets `name`, `size` in bytes and `content`, and increases
    `turn`.

    For a file of more than `limit` bytes `content` is empty: the browser does not send it.
    """

    _esm = Path(__file__).with_name("drop.js")
    words = Unicode("Drop a photograph or a short video here, or click to choose one").tag(sync=True)
    accept = Unicode("image/*,video/*").tag(sync=True)
    limit = Int(20_000_000).tag(sync=True)
    name = Unicode("").tag(sync=True)
    size = Int(0).tag(sync=True)
    content = Bytes(b"").tag(sync=True, from_json=lambda sent, _: bytes(sent))  # received as a memoryview
    turn = Int(0).tag(sync=True)


def outcome(action: Callable[[], str]) -> str:
    """The text that an action returns, or its KitError, as HTML."""
    try:
        text = action()
    except KitError as error:
        text = f"error: {error}"
    return f"<pre style='white-space: pre-wrap; line-height: 1.4'>{html.escape(text)}</pre>"
