"""Lightweight semi-supervised semantic segmentation: train, ablate, look inside and compare."""

import warnings

from kit._torchvision import ensure_operators

ensure_operators()  # before anything imports torchvision
warnings.filterwarnings("ignore", "Failed to load image Python extension", UserWarning)  # images are read by Pillow

from kit.errors import KitError
from kit.evaluate.load import Student, load
from kit.notebook import parameters
from kit.recipes import configure
from kit.results import load_run, load_runs
from kit.train.launch import launch
from kit.train.loop import fit

__all__ = ["KitError", "Student", "configure", "fit", "launch", "load", "load_run", "load_runs", "parameters"]
__version__ = "0.1.0"
