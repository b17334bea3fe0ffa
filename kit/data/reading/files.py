"""Images and masks of one part of a data set, found on disk and read into class ids."""

import fnmatch
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from kit.data.reading.cache import Cache, Item
from kit.data.reading.decode import SUFFIXES, Box, cut, picture_size, read_image, read_mask
from kit.data.reading.sizes import Size, size_text, size_when_read
from kit.data.spec import DatasetSpec, Found, Layout, Masks
from kit.errors import KitError
from kit.system.storage import text_sha256

THREADS = 8
"""Files read at a time: Pillow releases the interpreter lock, and network file systems serve several requests."""


class SegFiles:
    """The train or val images of a data set, by id.

    Args:
        spec: the data set's entry.
        root: its folder.
        part: "train" or "val".
        base_size: (height, width) to which images and masks are resized when read; None: they keep their size.
        cache: folder for decoded images and masks; None: no cache. Pixels are the same either way.
        keep_aspect: resize the shorter side to the shorter one of `base_size`, as `DataConfig.keep_aspect` describes.
    Attributes:
        base, layout: the folder in or below `root` that holds the data set, and its layout there.
        ids: ids of the part's images, sorted.
        extra_ids: ids of further images without masks (train only), sorted.
        masks: id -> (file, kind) of every mask of the part, with or without an image.
        missing: ids in the data set's own lists that have no image.
    Raises: KitError if the folder is missing or holds no image of this part.
    """

    def __init__(self, spec: DatasetSpec, root: Path, part: str, base_size: tuple[int, int] | None = None,
                 cache: Path | None = None, keep_aspect: bool = False):  # fmt: skip
        self.spec, self.root, self.part = spec, Path(root), part
        self.base_size, self.keep_aspect = base_size, keep_aspect
        if not self.root.is_dir():
            raise KitError(f"no folder {self.root}; set data_root to the folder of the {spec.name} data set")
        self.base, self.layout = find_layout(spec, self.root, part)
        pattern = self.layout.pattern(self.layout.images, part)
        self.paths = find_files(self.base, pattern, pictures=True)
        if not self.paths:
            raise KitError(f"no images at {self.base / pattern} in a format that Pillow reads")
        self.masks: dict[str, tuple[Path, Masks]] = {}
        for kind in reversed(self.layout.masks):  # the preferred one is written last
            found = find_files(self.base, self.layout.pattern(kind.files, part))
            self.masks |= {name: (path, kind) for name, path in found.items()}
        extra = {}
        self.missing: tuple[str, ...] = ()
        if self.layout.members:
            members = self.layout.members(self.base, self.paths, {name: path for name, (path, _) in self.masks.items()})
            extra = {i: path for i, path in self.paths.items() if not any(i in ids for ids in members.values())}
            self.missing = tuple(sorted(members[part] - set(self.paths)))
            self.paths = {i: path for i, path in self.paths.items() if i in members[part]}
            self.masks = {i: mask for i, mask in self.masks.items() if i in members[part]}
        for pattern in self.layout.extra:
            extra |= find_files(self.base, pattern, pictures=True)
        self.ids = tuple(sorted(self.paths))
        self.extra_ids = tuple(sorted(extra)) if part == "train" else ()
        self.paths |= {name: extra[name] for name in self.extra_ids}
        if not self.ids:
            raise KitError(f"no {part} images of the {spec.name} data set in {self.base}; is this its folder?")
        self._cache = self._cache_below(Path(cache)) if cache else None

    def leave_out(self, patterns: Iterable[str]) -> None:
        """Remove the images whose id matches a shell pattern such as "0016E5_07*"; their files stay on disk.

        Raises: KitError for a pattern that matches no image, or if none is left.
        """
        for pattern in patterns:
            gone = set(fnmatch.filter(self.ids + self.extra_ids, pattern))
            if not gone:
                raise KitError(
                    f"no {self.part} image in {self.base} matches {pattern!r}; ids look like {self.ids[0]!r}"
                )
            self.ids = tuple(name for name in self.ids if name not in gone)
            self.extra_ids = tuple(name for name in self.extra_ids if name not in gone)
            if not self.ids:
                raise KitError(f"leaving out {pattern!r} leaves no {self.part} image in {self.base}")
        self.__dict__.pop("masked_ids", None)

    @cached_property
    def masked_ids(self) -> tuple[str, ...]:
        """Ids of the images that have a mask, sorted."""
        return tuple(name for name in self.ids if name in self.masks)

    def mask_path(self, name: str) -> Path:
        """File of the mask of the image `name`. Raises KitError if it has none."""
        if name not in self.masks:
            raise KitError(self.no_mask(name))
        return self.masks[name][0]

    def no_mask(self, name: str) -> str:
        """The error message for an image without a mask; it names the missing file."""
        cores = (pattern.removesuffix(".*") for pattern in self.layout.mask_patterns(self.part))
        expected = (name.join(core.rsplit("*", 1)) for core in cores)
        return f"no mask of {name}: no file {self.base / ' or '.join(expected)}"

    def size(self, name: str) -> Size:
        """(height, width) of an image as `image` returns it; reads at most the header of the file."""
        return self._size("image", name, self.paths[name])

    def image(self, name: str, box: Box | None = None) -> Tensor:
        """uint8 (3, H, W), turned upright by its EXIF orientation; with `box` only that part of it.

        If images are neither resized nor cached, nothing below the box is decoded.
        """
        return self._part("image", name, box).permute(2, 0, 1)

    def pair(self, name: str, box: Box | None = None) -> tuple[Tensor, Tensor]:
        """Image uint8 (3, H, W) and mask uint8 (H, W) of class ids and IGNORE, both resized if there is a `base_size`.

        Args:
            box: read only this part of both. Label values are then checked in this part only.
        Raises: KitError if one of them cannot be read, or if their sizes differ.
        """
        image, mask = self.size(name), self._size("mask", name, self.mask_path(name))
        if image != mask:
            raise KitError(f"{self.mask_path(name)} is {mask}, its image {image}")
        return self.image(name, box), self._part("mask", name, box)

    def check_sizes(self, names: Iterable[str]) -> None:
        """Raise KitError naming the first mask whose size on disk differs from its image's. Reads file headers only, a
        few seconds for ten thousand pairs."""
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(self._check_size, names):
                pass

    def full_mask(self, name: str) -> Tensor:
        """Mask uint8 (H, W) at its size on disk."""
        return self._kept("full" if self.base_size else "mask", name)

    def keep(self, images: Iterable[str], pairs: Iterable[str], full: bool = False, silent: bool = False) -> None:
        """Fill the cache with images, and with images and masks; does nothing without a cache.

        Args:
            full: cache masks at their size on disk, not at `base_size`.
            silent: show no progress bar.
        Raises: KitError naming a file that cannot be read or does not fit its image, or if the disk has no room.
        """
        if not self._cache:
            return
        pairs = tuple(pairs)
        masks = "full" if full and self.base_size else "mask"
        items = [self._item("image", name) for name in (*images, *pairs)]
        self._cache.fill([*items, *(self._item(masks, name) for name in pairs)], silent)
        if not self.base_size:
            for name in pairs:
                self.pair(name)

    def _check_size(self, name: str) -> None:
        image, mask = picture_size(self.paths[name]), picture_size(self.mask_path(name))
        if image != mask:
            raise KitError(
                f"{self.mask_path(name)} is {size_text(mask)}, its image {self.paths[name]} {size_text(image)}; a mask "
                "must have its image's size (`python -m kit doctor` lists all that do not)"
            )

    def _size(self, what: str, name: str, path: Path) -> Size:
        """Size of an "image" or "mask" as `pair` returns it."""
        if self.base_size and not self.keep_aspect:
            return self.base_size
        return tuple(self._kept(what, name).shape[:2]) if self._cache else self._resized(picture_size(path))

    def _resized(self, size: Size) -> Size:
        return size_when_read(size, self.base_size, self.keep_aspect)

    def _part(self, what: str, name: str, box: Box | None) -> Tensor:
        """The box of `_kept`; cut from the whole picture if pictures are cached or resized, else read by itself."""
        if self._cache or self.base_size:
            whole = self._kept(what, name)
            return cut(whole, box) if box else whole
        return self._read(what, name, box)

    def _kept(self, what: str, name: str) -> Tensor:
        """An "image" (H, W, 3) or "mask" (H, W) as in `pair`, or a "full" mask; from the cache, if there is one."""
        item = self._item(what, name)
        return self._cache.get(item) if self._cache else item.make()

    def _item(self, what: str, name: str) -> Item:
        source = self.paths[name] if what == "image" else self.mask_path(name)
        return Item(f"{name}.{what}", source, partial(self._read, what, name), partial(self._bytes, what, source))

    def _bytes(self, what: str, source: Path) -> int:
        size = picture_size(source)
        return prod(size if what == "full" else self._resized(size)) * (3 if what == "image" else 1)

    def _cache_below(self, folder: Path) -> Cache:
        """One folder per data set, part and size; a change in the meaning of mask values invalidates all files."""
        root = text_sha256(str(self.root.resolve()))[:12]
        size = "full" if self.base_size is None else "{}x{}".format(*self.base_size)
        if self.base_size and self.keep_aspect:
            size = f"short{min(self.base_size)}"
        about = repr((self.layout.masks, self.spec.colour_ids()))
        return Cache(folder / f"{self.spec.name}-{self.part}-{size}-{root}", about)

    def _read(self, what: str, name: str, box: Box | None = None) -> Tensor:
        """Decode what `_kept` returns; with `box` only that part, not resized."""
        if what == "image":
            pixels = torch.from_numpy(read_image(self.paths[name], box).copy())
        else:
            path, kind = self.mask_path(name), self.masks[name][1]
            pixels = torch.from_numpy(read_mask(path, kind, self.spec.colour_ids(), self.layout.masks, box))
        if what == "full" or not self.base_size:
            return pixels
        # Imported here, because it takes seconds, and processes that only list files do without.
        import torchvision.transforms.v2.functional as tv
        from torchvision.transforms import InterpolationMode

        size = list(self._resized(tuple(pixels.shape[:2])))
        if what == "image":
            return tv.resize(pixels.permute(2, 0, 1), size, InterpolationMode.BILINEAR, antialias=True).permute(1, 2, 0)
        return tv.resize(pixels[None], size, InterpolationMode.NEAREST_EXACT)[0]


def find_layout(spec: DatasetSpec, root: Path, part: str) -> tuple[Path, Layout]:
    """The folder in or below `root` that holds a part of the data set, and its layout there. KitError if none."""
    for below in spec.below:
        for layout in spec.layouts:
            base = root / below
            if (base / layout.needs).exists() and next(base.glob(layout.pattern(layout.images, part)), None):
                return base, layout
    expected = " or ".join(dict.fromkeys(layout.pattern(layout.images, part) for layout in spec.layouts))
    raise KitError(f"no images at {root / expected}; is this the folder of the {spec.name} data set?")


def find_files(base: Path, pattern: str, pictures: bool = False) -> Found:
    """Id -> file of the files that match a pattern; an id is the text that the last `*` matches.

    Args:
        pictures: leave out files without a picture's suffix. Hidden files are always left out.
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
