"""Data sets that are broken in one way each, for tests of the doctor."""

from broken_data import files, images, layouts, masks, pairs, splits
from broken_data.case import CASES
from broken_data.good import GOOD

__all__ = ["CASES", "GOOD", "files", "images", "layouts", "masks", "pairs", "splits"]
