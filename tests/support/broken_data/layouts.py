"""Wrong folders and descriptions."""

from broken_data.case import broken


@broken("cityscapes", "no folder")
def folder_is_not_there(root):
    root.rename(root.with_name("elsewhere"))
    return str(root)


@broken("camvid", "no folder")
def root_is_a_file(root):
    root.rename(root.with_name("elsewhere"))
    root.write_text("")
    return str(root)


@broken("cityscapes", "no images")
def folder_of_another_data_set(root):
    (root / "leftImg8bit").rename(root / "pictures")
    return "leftImg8bit/train"


@broken("camvid", "no images")
def val_is_empty(root):
    for path in (root / "images/val").iterdir():
        path.unlink()
    return "images/val"


@broken("folder", "parts")
def images_are_in_a_sub_folder(root):
    (root / "images").rename(root / "trip")
    (root / "images").mkdir()
    (root / "trip").rename(root / "images/trip")
    return "images/*"


@broken("folder", "not an image", "warning")
def an_image_is_in_a_sub_folder(root):
    source = min((root / "images").iterdir())
    (root / "images/trip").mkdir()
    source.rename(root / "images/trip" / source.name)
    return f"images/trip/{source.name} is not read as an image: it lies deeper than expected, images/*"


@broken("folder", "description")
def no_description(root):
    (root / "classes.yaml").unlink()
    return "classes.yaml"


@broken("folder", "description")
def description_is_no_yaml(root):
    (root / "classes.yaml").write_text("classes: {a: [0, 0")
    return "classes.yaml"


@broken("folder", "description")
def description_is_binary(root):
    (root / "classes.yaml").write_bytes(b"\xff\xfe\x00")
    return "classes.yaml"


@broken("folder", "description")
def description_with_a_slip(root):
    (root / "classes.yaml").write_text("clases: {a: [0, 0, 0], b: [1, 1, 1]}\n")
    return "clases"


@broken("folder", "description")
def colours_twice(root):
    (root / "classes.yaml").write_text("classes: {a: [1, 2, 3], b: [1, 2, 3]}\n")
    return "same colour"


@broken("folder", "description")
def ignored_value_is_a_class(root):
    (root / "classes.yaml").write_text("classes: {a: [0, 0, 0], b: [1, 2, 3]}\nignore: 1\n")
    return "ignore is 1"


@broken("folder", "description")
def a_single_class(root):
    (root / "classes.yaml").write_text("classes: {a: [0, 0, 0]}\n")
    return "2 to"


@broken("folder", "label values")
def too_few_classes(root):
    (root / "classes.yaml").write_text("classes: {a: [0, 0, 0], b: [1, 2, 3]}\n")
    return "of value 2"


@broken("folder", "parts")
def too_few_masks(root):
    for i in range(1, 5):
        (root / f"labels/p{i}.png").unlink()
    return "1 of 1 images with masks"


@broken("voc", "parts")
def lists_are_missing(root):
    (root / "ImageSets/Segmentation/train.txt").unlink()
    return "Segmentation/train.txt"


@broken("voc", "listed, not there")
def listed_image_is_missing(root):
    (root / "JPEGImages/2007_000002.jpg").unlink()
    return "2007_000002"
