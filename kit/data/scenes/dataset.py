"""A data set of synthetic street scenes on disk, in the Cityscapes folder layout. Nothing is downloaded."""

import os
import tempfile
from pathlib import Path

from PIL import Image

from kit.data.scenes.scene import VERSION, draw_scene
from kit.errors import KitError
from kit.system.console import bar
from kit.system.storage import read_json, write_json

PARAMETERS = "synthetic.json"
CITIES = {"train": ("almbruck", "dornau", "elmsted", "fahrwald", "grauburg", "hirsholm"), "val": ("kestrow", "lindmar")}
MAX_SEED = 1 << 31
"""Data sets have seeds below this limit. It is also the number of scene seeds for each split, train's before val's."""


def draw_dataset(
    root: str | Path,
    train: int = 192,
    val: int = 96,
    size: tuple[int, int] = (128, 256),
    seed: int = 0,
    progress: bool = False,
) -> Path:
    """Write a data set of street scenes, unless `root` already holds it.

    Scene k of a split depends only on seed, size, split and k, so a larger set begins with the smaller one.
    The set is written to a folder beside `root` and renamed when complete: an interrupted call leaves nothing behind.

    Args:
        root: folder to create; it may exist if it is empty or holds this set.
        train, val: number of scenes, each >= 1.
        size: (height, width) in pixels, each >= 32.
        seed: 0 <= seed < 2**31; sets of different seeds share no scene.
        progress: show a progress bar.
    Returns: root as a Path, holding leftImg8bit/, gtFine/ (labelIds) and synthetic.json.
    Raises: KitError if a parameter is out of range, or root holds another set or files of another origin.
    """
    root = Path(root)
    wanted = _checked(train, val, size, seed)
    if _already_there(root, wanted):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    beside = {"prefix": f".{root.name}.", "suffix": ".partial", "dir": root.parent}
    with (
        tempfile.TemporaryDirectory(**beside, ignore_cleanup_errors=True) as partial,
        bar(train + val, "drawing scenes", "scene", silent=not progress) as drawn,
    ):
        for split in CITIES:
            for index in range(wanted[split]):
                pictures = draw_scene(scene_seed(wanted["seed"], split, index), *wanted["size"])
                for path, pixels in zip(scene_paths(split, index), pictures, strict=True):
                    file = Path(partial, path)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(pixels).save(file)
                drawn.update()
        write_json(Path(partial, PARAMETERS), wanted)
        os.chmod(partial, 0o755)  # TemporaryDirectory made it private
        os.replace(partial, root)
    return root


def scene_seed(seed: int, split: str, index: int) -> int:
    """The seed for `draw_scene` of scene `index` in "train" or "val"; no two scenes of any data sets share a seed."""
    return (seed * 2 + ("train", "val").index(split)) * MAX_SEED + index


def scene_paths(split: str, index: int) -> tuple[Path, Path]:
    """Image and mask of a scene, relative to the data set's root, named as Cityscapes names its files."""
    cities = CITIES[split]
    city = cities[index % len(cities)]
    stem = f"{city}_{index // len(cities):06d}_000019"
    return (
        Path("leftImg8bit", split, city, f"{stem}_leftImg8bit.png"),
        Path("gtFine", split, city, f"{stem}_gtFine_labelIds.png"),
    )


def _checked(train: int, val: int, size: tuple[int, int], seed: int) -> dict:
    """The parameters as they are stored, or KitError."""
    for name, value in (("train", train), ("val", val)):
        if value < 1:
            raise KitError(f"{name} is {value}; a synthetic data set needs at least 1 scene in each part")
    if len(size) != 2 or min(size) < 32:
        raise KitError(f"size is {tuple(size)}; give (height, width) in pixels, each at least 32")
    if not 0 <= seed < MAX_SEED:
        raise KitError(f"seed is {seed}; give a whole number from 0 to {MAX_SEED - 1}")
    counts = {"train": int(train), "val": int(val)}
    return {**counts, "size": [int(side) for side in size], "seed": int(seed), "version": VERSION}


def _already_there(root: Path, wanted: dict) -> bool:
    """True if root holds the wanted set, False if root is absent or empty, KitError otherwise."""
    if root.exists() and not root.is_dir():
        raise KitError(f"{root} is a file; name a folder for the synthetic data set")
    if not root.exists() or not any(root.iterdir()):
        return False
    try:
        found = read_json(root / PARAMETERS)
    except (OSError, KitError):
        found = None
    if not isinstance(found, dict):
        raise KitError(f"{root} holds files that are not a synthetic data set; name another folder or empty this one")
    differing = [f"{key} {found.get(key)} (not {value})" for key, value in wanted.items() if found.get(key) != value]
    if differing:
        raise KitError(
            f"{root} holds a synthetic data set with {', '.join(differing)}; "
            "name another folder, use the same values, or delete it to draw it again"
        )
    return True
