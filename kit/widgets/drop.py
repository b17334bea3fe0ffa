"""A field for a file that is dropped onto it."""

from pathlib import Path

import anywidget
import traitlets


class DropField(anywidget.AnyWidget):
    """Its `turn` goes up whenever a file has come; then `name`, `size` in bytes and `content` are those of the file.

    Of a file of more than `limit` bytes the content is empty: it is not sent by the browser.
    """

    _esm = Path(__file__).with_name("drop.js")
    words = traitlets.Unicode("Drop a photograph or a short video here, or click to choose one").tag(sync=True)
    accept = traitlets.Unicode("image/*,video/*").tag(sync=True)
    limit = traitlets.Int(20_000_000).tag(sync=True)
    name = traitlets.Unicode("").tag(sync=True)
    size = traitlets.Int(0).tag(sync=True)
    content = traitlets.Bytes(b"").tag(sync=True, from_json=lambda sent, _: bytes(sent))  # it comes as a memoryview
    turn = traitlets.Int(0).tag(sync=True)
