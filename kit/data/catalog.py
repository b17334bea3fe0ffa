"""DATASETS: name -> `DatasetSpec`. Everything specific to a data set is here and nowhere else.

To add one, write an entry; a folder of your own images needs none (`kit.data.folder`).
"""

from pathlib import Path

from kit.data.folder import folder_spec
from kit.data.spec import Colour, DatasetSpec, Found, Layout, Masks
from kit.data.splits.sequences import FRAMES
from kit.errors import KitError, unknown
from kit.types import IGNORE

_CITYSCAPES = {  # name: (raw id, colour), in the order of the train ids
    "road": (7, (128, 64, 128)), "sidewalk": (8, (244, 35, 232)), "building": (11, (70, 70, 70)),
    "wall": (12, (102, 102, 156)), "fence": (13, (190, 153, 153)), "pole": (17, (153, 153, 153)),
    "traffic light": (19, (250, 170, 30)), "traffic sign": (20, (220, 220, 0)), "vegetation": (21, (107, 142, 35)),
    "terrain": (22, (152, 251, 152)), "sky": (23, (70, 130, 180)), "person": (24, (220, 20, 60)),
    "rider": (25, (255, 0, 0)), "car": (26, (0, 0, 142)), "truck": (27, (0, 0, 70)), "bus": (28, (0, 60, 100)),
    "train": (31, (0, 80, 100)), "motorcycle": (32, (0, 0, 230)), "bicycle": (33, (119, 11, 32)),
}  # fmt: skip

_CAMVID = {  # in the order of the raw values 0..10
    "sky": (128, 128, 128), "building": (128, 0, 0), "pole": (192, 192, 128), "road": (128, 64, 128),
    "pavement": (60, 40, 222), "tree": (128, 128, 0), "sign": (192, 128, 128), "fence": (64, 64, 128),
    "car": (64, 0, 128), "pedestrian": (64, 64, 0), "bicyclist": (0, 128, 192),
}  # fmt: skip

_VOC = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


def _cityscapes(name: str) -> DatasetSpec:
    """The standard download, with masks as labelIds (0-33), or as labelTrainIds (0-18, 255) from the data set's tools.

    `leftImg8bit_trainextra` may be unpacked into the same folder or into a folder of its own.
    """
    train_ids = {raw: i for i, (raw, _) in enumerate(_CITYSCAPES.values())}
    images, labels = "leftImg8bit/{part}/*/*_leftImg8bit.png", "gtFine/{part}/*/*_gtFine_"
    return DatasetSpec(
        name=name,
        classes=tuple(_CITYSCAPES),
        palette=tuple(colour for _, colour in _CITYSCAPES.values()),
        void_colours=((0, 0, 0),),
        layouts=(
            Layout(
                images=images,
                masks=(
                    Masks(files=labels + "labelIds.png", raw_ids={i: train_ids.get(i, IGNORE) for i in range(34)}),
                    Masks(files=labels + "labelTrainIds.png", raw_ids={**{i: i for i in range(19)}, 255: IGNORE}),
                ),
                extra=(
                    "leftImg8bit/train_extra/*/*_leftImg8bit.png",
                    "leftImg8bit_trainextra/leftImg8bit/train_extra/*/*_leftImg8bit.png",
                    "leftImg8bit_trainextra/train_extra/*/*_leftImg8bit.png",
                ),
            ),
        ),
        rare=("traffic sign", "train"),
        # Most snippets have one labelled frame, and some cities are one long recording, so a sequence is a city.
        frames=r"(?P<sequence>[^_]+)_(?P<frame>\d+_\d+)",
    )


def _voc() -> DatasetSpec:
    """Pascal VOC 2012: the devkit, with or without SegmentationClassAug, or MGD's `train_aug/{image,label}`.

    With SegmentationClassAug, train is every image that has a mask and is not in val (10,582); without it, train is the
    devkit's list (1,464). The other images in JPEGImages are extra ones. Masks are read by index, with or without the
    colour map.
    """
    values = {**{i: i for i in range(21)}, 255: IGNORE}

    def masks(folder: str) -> Masks:
        return Masks(files=f"{folder}/*.png", raw_ids=values)

    photographs, lists = "JPEGImages/*.jpg", ("ImageSets/Segmentation/*.txt",)
    return DatasetSpec(
        name="voc",
        classes=_VOC,
        palette=tuple(_voc_colour(i) for i in range(len(_VOC))),
        void_colours=(_voc_colour(255),),
        below=("", "VOC2012", "VOCdevkit/VOC2012"),
        layouts=(
            Layout(images=photographs, masks=(masks("SegmentationClassAug"), masks("SegmentationClass")),
                   needs="SegmentationClassAug", members=_voc_augmented, lists=lists),
            Layout(images=photographs, masks=(masks("SegmentationClass"),), needs="SegmentationClass",
                   members=_voc_listed, lists=lists),
            Layout(images="{part}/image/*.jpg", masks=(masks("{part}/label"),),
                   parts=(("train", "train_aug"), ("val", "val"))),
        ),
        rare=("chair", "sofa"),
    )  # fmt: skip


def _voc_colour(value: int) -> Colour:
    """RGB colour of a mask value: its bits 3k, 3k+1 and 3k+2 are bit 7-k of red, green and blue."""
    return tuple(sum((value >> (3 * k + c) & 1) << (7 - k) for k in range(3)) for c in range(3))


def _voc_listed(root: Path, images: Found, masks: Found) -> dict[str, set[str]]:
    return {part: _listed(root / f"ImageSets/Segmentation/{part}.txt") for part in ("train", "val")}


def _voc_augmented(root: Path, images: Found, masks: Found) -> dict[str, set[str]]:
    val = _listed(root / "ImageSets/Segmentation/val.txt")
    return {"train": set(masks) - val, "val": val}


def _listed(path: Path) -> set[str]:
    if not path.is_file():
        raise KitError(f"no {path}, the list of train or val images; it is part of the VOC devkit")
    return set(path.read_text(encoding="utf-8-sig").split())


DATASETS = {
    "cityscapes": _cityscapes("cityscapes"),
    "synthetic": _cityscapes("synthetic"),  # drawn scenes in the same layout
    "voc": _voc(),
    "camvid": DatasetSpec(
        name="camvid",
        classes=tuple(_CAMVID),
        palette=tuple(_CAMVID.values()),
        void_colours=((0, 0, 0),),
        layouts=(
            Layout(
                images="images/{part}/*.jpg",
                masks=(Masks(files="labels/{part}/*.png", raw_ids={**{i: i for i in range(11)}, 11: IGNORE,
                                                                   255: IGNORE}),),
            ),
        ),
        rare=("pole", "sign"),
        frames=FRAMES,
    ),
}  # fmt: skip


def find_spec(dataset: str, root: Path) -> DatasetSpec:
    """The entry of DATASETS, or for "folder" the one described by `root/classes.yaml`.

    Raises KitError for an unknown name, or a classes.yaml that is missing or cannot be read.
    """
    require_known(dataset)
    return folder_spec(root) if dataset == "folder" else DATASETS[dataset]


def require_known(dataset: str) -> None:
    """Raise KitError with all names unless `dataset` is a key of DATASETS or "folder"."""
    if dataset not in (known := [*DATASETS, "folder"]):
        raise unknown("dataset", dataset, known)
