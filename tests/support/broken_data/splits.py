"""Lists of labelled and unlabelled images that do not fit."""

from broken_data.case import broken
from broken_data.good import lists, photograph, save


@broken("camvid", "split", split="lists")
def in_both_lists(root):
    lists(root, ["0000", "0001"], ["0001", "0002"])
    return "0001"


@broken("camvid", "split", split="lists")
def listed_and_not_on_disk(root):
    lists(root, ["0000"], ["0008"])
    return "0008"


@broken("camvid", "split", split="lists")
def labelled_without_mask(root):
    (root / "labels/train/0000.png").unlink()
    lists(root, ["0000"], ["0001"])
    return "0000"


@broken("camvid", "split", split="lists")
def split_inside_val(root):
    save(photograph(5), root / "images/train/0005.jpg")
    lists(root, ["0000"], ["0005"])
    return "0005"


@broken("camvid", "split", split="lists")
def empty_list(root):
    lists(root, [], ["0001"])
    return "no labelled image"


@broken("camvid", "split", split="lists")
def id_twice_in_a_list(root):
    lists(root, ["0000", "0000"], ["0001"])
    return "0000"


@broken("camvid", "split", split="lists")
def list_that_is_no_text(root):
    lists(root, ["0000"], ["0001"])
    (root.with_name("lists") / "labelled.txt").write_bytes(b"\xff\xfe\x00\x01")
    return "labelled.txt"


@broken("camvid", "split", split="1_x")
def split_of_no_known_form(root):
    return "1_x"


@broken("camvid", "split", split="count_5")
def more_labels_than_masks(root):
    return "count_5"
