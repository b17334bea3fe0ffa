"""A picture that can be clicked. ipywidgets' own shows pictures too, but does not say where the mouse is."""

from pathlib import Path

import anywidget
from traitlets import Bytes, Float, List, Unicode


class ClickPicture(anywidget.AnyWidget):
    """PNG bytes drawn elsewhere, and the place that was clicked last."""

    _esm = Path(__file__).with_name("picture.js")
    kind = Unicode("kit-picture").tag(sync=True)  # its class in the page
    png = Bytes().tag(sync=True)
    alt = Unicode().tag(sync=True)  # what it shows, in words; set before `png`
    pixel = List(Float(), default_value=[0.5, 0.5], minlen=2, maxlen=2).tag(sync=True)  # shares of height and width
