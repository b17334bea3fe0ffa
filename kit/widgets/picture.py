"""A clickable picture; that of ipywidgets does not report where the mouse is."""

from pathlib import Path

import anywidget
from traitlets import Bytes, Float, List, Unicode


class ClickPicture(anywidget.AnyWidget):
    """PNG bytes drawn elsewhere, and the last clicked place."""

    _esm = Path(__file__).with_name("picture.js")
    kind = Unicode("kit-picture").tag(sync=True)  # its CSS class
    png = Bytes().tag(sync=True)
    alt = Unicode().tag(sync=True)  # description for screen readers; set before `png`
    pixel = List(Float(), default_value=[0.5, 0.5], minlen=2, maxlen=2).tag(sync=True)  # shares of height and width
