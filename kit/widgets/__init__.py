"""Panels of controls for notebooks. They call the kit's functions and show what comes back; nothing is decided here.

Without a graphical front end (papermill) a panel draws nothing and never runs, so a static result stands above it.
"""

from kit.widgets.doctor import doctor_panel
from kit.widgets.explorer import explorer_panel
from kit.widgets.watch import watching

__all__ = ["doctor_panel", "explorer_panel", "watching"]
