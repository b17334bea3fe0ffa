"""Panels of controls for notebooks. They call the kit's functions and show the results, without logic of their own.

Without a graphical front end (papermill) a panel draws nothing, so notebooks show a static result above it.
"""

from kit.widgets.doctor import doctor_panel
from kit.widgets.explorer import explorer_panel
from kit.widgets.label import label_panel
from kit.widgets.watch import watching

__all__ = ["doctor_panel", "explorer_panel", "label_panel", "watching"]
