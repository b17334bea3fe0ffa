"""Images and masks of one part of a data set, read from disk into class ids."""

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms import InterpolationMode

from kit.data.catalog import FORBIDDEN, DatasetSpec
from kit.errors import KitError


class SegFiles:
    """The train or val images of a data set, by id.

    Args:
        spec: the data set's entry.
        root: its folder.
        part: "train" or "val".
        base_size: (height, width) to which images and masks are resized when read; None keeps theirs.
        cache: keep what was read in memory.
    Raises: KitError if the folder is missing or holds no image of this part.
    """

    def __init__(self, spec: DatasetSpec, root: Path, part: str, base_size: tuple[int, int] | None = None,
                 cache: bool = False):  # fmt: skip
        self.spec, self.root, self.part, self.base_size = spec, Path(root), part, base_size
        if not self.root.is_dir():
            raise KitError(f"no folder {self.root}; set data_root to the folder of the {spec.name} data set")
        pattern = spec.images.format(part=part)
        self.paths = {p.stem.removesuffix(spec.suffix): p for p in sorted(self.root.glob(pattern))}
        if not self.paths:
            raise KitError(f"no images at {self.root / pattern}; is this the folder of the {spec.name} data set?")
        self._lookup = spec.lookup()
        self._cache: dict | None = {} if cache else None

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of all images, sorted."""
        return tuple(sorted(self.paths))

    @cached_property
    def masked_ids(self) -> tuple[str, ...]:
        """Ids of the images that have a mask, sorted."""
        return tuple(name for name in self.ids if self.mask_path(name).is_file())

    def mask_path(self, name: str) -> Path:
        """Where the mask of the image `name` is, whether or not it exists."""
        folder = self.paths[name].parent.name
        return self.root / self.spec.masks.format(part=self.part, folder=folder, id=name)

    def image(self, name: str) -> Tensor:
        """uint8 (3, H, W), turned upright if the camera said so."""
        return self._kept(("image", name), self._read_image, name)

    def pair(self, name: str) -> tuple[Tensor, Tensor]:
        """Image uint8 (3, H, W) and mask uint8 (H, W) of class ids and IGNORE, both of `base_size` if that is set."""
        image, mask = self.image(name), self.full_mask(name)
        if self.base_size:
            mask = tv.resize(mask[None], list(self.base_size), InterpolationMode.NEAREST_EXACT)[0]
        if image.shape[1:] != mask.shape:
            raise KitError(f"{self.mask_path(name)} is {tuple(mask.shape)}, its image {tuple(image.shape[1:])}")
        return image, mask

    def full_mask(self, name: str) -> Tensor:
        """Mask uint8 (H, W) at the size it has on disk."""
        return self._kept(("mask", name), self._read_mask, name)

    def _kept(self, key: tuple, read, name: str) -> Tensor:
        if self._cache is None:
            return read(name)
        if key not in self._cache:
            self._cache[key] = read(name)
        return self._cache[key]

    def _read_image(self, name: str) -> Tensor:
        with _opened(self.paths[name]) as picture:
            pixels = np.array(ImageOps.exif_transpose(picture).convert("RGB"))
        image = torch.from_numpy(pixels).permute(2, 0, 1)
        if self.base_size:
            image = tv.resize(image, list(self.base_size), InterpolationMode.BILINEAR, antialias=True)
        return image.contiguous()

    def _read_mask(self, name: str) -> Tensor:
        path = self.mask_path(name)
        with _opened(path) as picture:
            if picture.mode not in ("L", "P"):
                raise KitError(f"{path} is a picture of mode {picture.mode}; masks hold one class number per pixel")
            raw = np.array(picture)
        mask = self._lookup[raw]
        if (mask == FORBIDDEN).any():
            values = sorted(np.unique(raw[mask == FORBIDDEN]).tolist())
            raise KitError(f"{path} holds label values {values}, which {self.spec.name} does not have")
        return torch.from_numpy(mask)


def _opened(path: Path) -> Image.Image:
    """The decoded picture; a KitError names the file if it is missing or broken."""
    try:
        picture = Image.open(path)
        picture.load()
    except FileNotFoundError as error:
        raise KitError(f"no file {path}") from error
    except (UnidentifiedImageError, OSError) as error:
        raise KitError(f"{path} cannot be read: {error}") from error
    return picture
