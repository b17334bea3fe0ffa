"""Published lists: the formats they come in, and, where a folder of them is at hand, every list itself.

KIT_PUBLISHED_SPLITS names such a folder: SOURCE/{cityscapes,pascal}/ with NAME/{labeled,unlabeled}.txt or
*_{labeled,unlabeled}_*.txt.
"""

import json
import os
from pathlib import Path

import pytest

from kit.data.catalog import DATASETS, find_spec
from kit.data.reading.files import SegFiles
from kit.data.splits.hash_draw import digest, draw
from kit.data.splits.list_formats import import_lists, read_published
from kit.data.splits.published import load_protocols
from kit.data.splits.split import labelled_count, read_list
from kit.errors import KitError

PUBLISHED = os.environ.get("KIT_PUBLISHED_SPLITS")
needs_lists = pytest.mark.skipif(not PUBLISHED, reason="KIT_PUBLISHED_SPLITS names no folder of published lists")
DRAWN = json.loads(Path(__file__).with_name("drawn_splits.json").read_text())
"""Data set -> share -> digest of the labelled ids for the seeds 0, 1 and 2."""

ID = "jena_000078_000019"


@pytest.mark.parametrize(
    "line",
    [
        ID,
        f"{ID}.png",
        f"{ID}_leftImg8bit.png",
        f"leftImg8bit/train/jena/{ID}_leftImg8bit.png",
        f"leftImg8bit/train/jena/{ID}_leftImg8bit.png gtFine/train/jena/{ID}_gtFine_labelTrainIds.png",
        f"/images/train/{ID}.png\t/segmentation/train/{ID}_gtFine.png",
        f"/images/train/{ID}\t/segmentation/train/{ID}_gtFine",
        f"{ID} {ID}",
        f"  C:\\my data\\{ID}_leftImg8bit.PNG  ",
        f"/my data/{ID}.png /my data/{ID}_gtFine.png",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n \r\n"])
def test_formats_of_lines(tmp_path, line, end):
    (tmp_path / "list.txt").write_bytes(f"{line}{end}other{end}".encode())
    for spec in (None, DATASETS["cityscapes"]):
        assert read_published(tmp_path / "list.txt", spec) == (ID, "other")


def test_ids_keep_their_dots_and_spaces(tmp_path):
    (tmp_path / "list.txt").write_text("\ufeffa.b.jpg\nframe.001\nIMG 12\n1 10\nmy photo.tif\nx/y_z.jpeg")
    ids = ("a.b", "frame.001", "IMG 12", "1 10", "my photo", "y_z")
    assert read_published(tmp_path / "list.txt") == ids


def test_text_around_ids_is_that_of_the_data_set(own):
    (own / "classes.yaml").write_text(
        "classes: {a: [0, 0, 0], b: [1, 1, 1]}\nimages: p/shot_*_rgb.png\nmasks: p/*_m.png"
    )
    (own / "list.txt").write_text("p/shot_7_rgb.png\np/8_leftImg8bit.png\np/shot__rgb.png\n")
    assert read_published(own / "list.txt", find_spec("folder", own)) == ("7", "8_leftImg8bit", "shot__rgb")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no file .*a.txt"),
        (b"", "a.txt is empty"),
        (b"\r\n \n", "a.txt is empty"),
        (b"x\ny\nz\ndir/y.png\n", r"a.txt names 1 image\(s\) \(y\) twice"),
        (b"\x89PNG\r\n\x1a\n", "a.txt is not a list of images"),
        (b"a\0b\n", "a.txt is not a list of images"),
        ("x\n".encode("utf-16"), "a.txt is not a list of images"),
        (b"x\nfolder/\n", "a.txt has a line without the name of an image"),
        (b"p\nq\nr\n", r"a.txt and .*b.txt share 2 image\(s\) \(p, q\); delete"),
    ],
)
def test_files_that_are_not_lists_raise(tmp_path, content, message):
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)
    (tmp_path / "b.txt").write_text("p\nq\n")
    with pytest.raises(KitError, match=message):
        import_lists(tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_is_not_a_list(tmp_path):
    with pytest.raises(KitError, match="is not a list of images"):
        read_published(tmp_path)


def test_written_lists(tmp_path):
    (tmp_path / "a.txt").write_text("y.png\nx.png\n")
    (tmp_path / "b.txt").write_text("z.png\n")
    split = import_lists(tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "out")
    assert split.name == "lists out" and read_list(tmp_path / "out/labelled.txt") == ("x", "y")
    about = json.loads((tmp_path / "out/split.json").read_text())
    assert about["unlabelled_sha256"] == digest("z") and (about["labelled"], about["unlabelled"]) == (2, 1)
    assert [Path(name).name for name in about["imported"]] == ["a.txt", "b.txt"]
    assert str(tmp_path) not in (tmp_path / "out/split.json").read_text()


def test_lists_are_checked_against_the_files(own):
    spec = find_spec("folder", own)
    files = SegFiles(spec, own, "train"), SegFiles(spec, own, "val")
    (own / "a.txt").write_text("t0.jpg\nt1.jpg\n")
    (own / "b.txt").write_text("t4.jpg\n")
    assert import_lists(own / "a.txt", own / "b.txt", own / "out", spec, files).missing_classes == ()
    (own / "b.txt").write_text("t9.jpg\n")
    with pytest.raises(KitError, match=r"1 image\(s\) \(t9\) not found in"):
        import_lists(own / "a.txt", own / "b.txt", own / "other", spec, files)
    assert not (own / "other").exists()


def published_pairs():
    """(source, protocol, labelled, unlabelled) of every pair of lists."""
    for path in sorted(Path(PUBLISHED).rglob("*labeled*.txt")):
        if "unlabeled" not in path.name:
            protocol = path.parent.name if path.name == "labeled.txt" else path.stem.replace("_labeled_", "_")
            yield (
                path.relative_to(PUBLISHED).parts[0],
                protocol,
                path,
                path.with_name(path.name.replace("labeled", "unlabeled")),
            )


@needs_lists
def test_every_published_list_is_identified_or_raises(tmp_path):
    used = {}  # "source protocol" in lower case -> protocol
    for known in load_protocols():
        used |= {(known.dataset, name.lower()): known for name in known.used_by}
    taken, refused = set(), set()
    for source, protocol, labelled, unlabelled in published_pairs():
        dataset = "cityscapes" if "cityscapes" in labelled.parts else "voc"
        known = used[dataset, f"{source} {protocol}"]
        for spec in (None, DATASETS[dataset]):
            if known.shared:
                refused.add(labelled)
                with pytest.raises(KitError, match=rf"share {known.shared} image.*'{known.name}', published like this"):
                    import_lists(labelled, unlabelled, tmp_path / "out", spec)
            else:
                taken.add(labelled)
                split = import_lists(labelled, unlabelled, tmp_path / "out", spec)
                assert split.name == known.name and len(split.labelled) == known.labelled
                assert split.record()["labelled_sha256"] == known.labelled_sha256
                assert split.record()["unlabelled_sha256"] == known.unlabelled_sha256
    assert (len(taken), len(refused)) == (37, 4)


@needs_lists
def test_lists_of_another_data_set_raise(tmp_path):
    _, _, labelled, unlabelled = next(pair for pair in published_pairs() if "cityscapes" in pair[2].parts)
    with pytest.raises(KitError, match="of cityscapes, not of voc"):
        import_lists(labelled, unlabelled, tmp_path / "out", DATASETS["voc"])


@needs_lists
@pytest.mark.parametrize(("dataset", "total"), [("cityscapes", 2975), ("voc", 10582)])
def test_draws_from_the_real_ids_are_known(dataset, total):
    folder = "cityscapes" if dataset == "cityscapes" else "pascal"
    lists = (pair[2:] for pair in published_pairs() if folder in pair[2].parts and "pseudoseg" not in pair[1])
    ids = {name for path in next(lists) for name in read_published(path, DATASETS[dataset])}
    assert len(ids) == total
    for share, digests in DRAWN[dataset].items():
        count = labelled_count(share, total)
        assert [digest(draw(ids, count, seed)) for seed in range(len(digests))] == digests
