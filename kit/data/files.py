"""Images and masks of one part of a data set, found on disk and read into class ids."""

from functools import cached_property
from pathlib import Path

import torch
import torchvision.transforms.v2.functional as tv
from torch import Tensor
from torchvision.transforms import InterpolationMode

from kit.data.decode import SUFFIXES, picture_size, read_image, read_mask
from kit.data.spec import DatasetSpec, Found, Layout, Masks
from kit.errors import KitError


class SegFiles:
    """The train or val images of a data set, by id.

    Args:
        spec: the data set's entry.
        root: its folder.
        part: "train" or "val".
        base_size: (height, width) to which images and masks are resized when read; None keeps theirs.
        cache: keep what was read in memory.
    Attributes:
        base: the folder below `root` in which the data set was found, and `layout` the form it has there.
        ids: of the part's images, sorted.
        extra_ids: of further images without masks (train only), sorted.
        masks: id -> (file, kind) of every mask of the part, whether or not there is an image.
        missing: ids that the data set's own lists name and that have no image.
    Raises: KitError if the folder is missing or holds no image of this part.
    """

    def __init__(self, spec: DatasetSpec, root: Path, part: str, base_size: tuple[int, int] | None = None,
                 cache: bool = False):  # fmt: skip
        self.spec, self.root, self.part, self.base_size = spec, Path(root), part, base_size
        if not self.root.is_dir():
            raise KitError(f"no folder {self.root}; set data_root to the folder of the {spec.name} data set")
        self.base, self.layout = find_layout(spec, self.root, part)
        name = dict(self.layout.parts)[part]
        self.paths = found(self.base, self.layout.images.format(part=name), pictures=True)
        self.masks: dict[str, tuple[Path, Masks]] = {}
        for kind in reversed(self.layout.masks):  # the preferred one is written last
            masks = found(self.base, kind.files.format(part=name))
            self.masks |= {mask: (path, kind) for mask, path in masks.items()}
        extra = {}
        self.missing: tuple[str, ...] = ()
        if self.layout.members:
            members = self.layout.members(self.base, self.paths, {mask: path for mask, (path, _) in self.masks.items()})
            extra = {i: path for i, path in self.paths.items() if not any(i in ids for ids in members.values())}
            self.missing = tuple(sorted(members[part] - set(self.paths)))
            self.paths = {i: path for i, path in self.paths.items() if i in members[part]}
            self.masks = {i: mask for i, mask in self.masks.items() if i in members[part]}
        for pattern in self.layout.extra:
            extra |= found(self.base, pattern, pictures=True)
        self.ids = tuple(sorted(self.paths))
        self.extra_ids = tuple(sorted(extra)) if part == "train" else ()
        self.paths |= {name: extra[name] for name in self.extra_ids}
        if not self.ids:
            raise KitError(f"no {part} images of the {spec.name} data set in {self.base}; is this its folder?")
        self._cache: dict | None = {} if cache else None

    @cached_property
    def masked_ids(self) -> tuple[str, ...]:
        """Ids of the images that have a mask, sorted."""
        return tuple(name for name in self.ids if name in self.masks)

    def mask_path(self, name: str) -> Path:
        """File of the mask of the image `name`. Raises KitError if it has none."""
        if name not in self.masks:
            part = dict(self.layout.parts)[self.part]
            wanted = (name.join(kind.files.format(part=part).rsplit("*", 1)) for kind in self.layout.masks)
            raise KitError(f"no mask of {name}: no file {self.base / ' or '.join(wanted)}")
        return self.masks[name][0]

    def size(self, name: str) -> tuple[int, int]:
        """(height, width) of an image as `image` returns it."""
        return self.base_size or picture_size(self.paths[name])

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
        image = torch.from_numpy(read_image(self.paths[name]).copy()).permute(2, 0, 1)
        if self.base_size:
            image = tv.resize(image, list(self.base_size), InterpolationMode.BILINEAR, antialias=True)
        return image.contiguous()

    def _read_mask(self, name: str) -> Tensor:
        path = self.mask_path(name)
        kinds = self.layout.masks
        return torch.from_numpy(read_mask(path, self.masks[name][1], self.spec.colour_ids(), kinds))


def find_layout(spec: DatasetSpec, root: Path, part: str) -> tuple[Path, Layout]:
    """The folder in or below `root` that holds a part of the data set, and the form it has there. KitError if none."""
    for below in spec.below:
        for layout in spec.layouts:
            base = root / below
            pattern = layout.images.format(part=dict(layout.parts)[part])
            if (base / layout.needs).exists() and next(base.glob(pattern), None):
                return base, layout
    patterns = [layout.images.format(part=dict(layout.parts)[part]) for layout in spec.layouts]
    wanted = " or ".join(dict.fromkeys(patterns))
    raise KitError(f"no images at {root / wanted}; is this the folder of the {spec.name} data set?")


def found(base: Path, pattern: str, pictures: bool = False) -> Found:
    """Id -> file, of the files that a pattern finds; an id is what the last `*` stands for.

    Args:
        pictures: leave out files whose names do not end like a picture's. Hidden files are never found.
    Raises: KitError if two files have the same id.
    """
    core = Path(pattern).name.removesuffix(".*")
    before, after = core.rsplit("*", 1)
    before, whole = before.rpartition("*")[2], not after and core.endswith("*")
    files: Found = {}
    for path in sorted(base.glob(pattern)):
        if path.name.startswith(".") or (pictures and path.suffix.lower() not in SUFFIXES):
            continue
        name = path.stem if whole or pattern.endswith(".*") else path.name
        name = name.removeprefix(before).removesuffix(after)
        if name in files:
            raise KitError(f"{files[name]} and {path} have the same id {name!r}; rename one")
        files[name] = path
    return files
