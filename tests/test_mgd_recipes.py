import pytest

from kit.config import METHOD_CONFIGS
from kit.errors import KitError
from kit.fields import differences, replace_fields
from kit.methods.build import METHODS, build_method
from kit.mgd_recipes import MGD_RECIPES, OFFICIAL, mgd_cityscapes, mgd_voc
from kit.models.build import build_model
from kit.recipes import RECIPES, configure


def test_published_numbers_of_cityscapes():
    cfg = mgd_cityscapes("resnet18", "1_8")
    assert (cfg.student.name, cfg.student.dropout) == ("deeplab_resnet18", 0.0)
    assert (cfg.data.crop, cfg.data.labelled, cfg.data.unlabelled, cfg.optim.lr) == ((800, 800), 16, 16, 0.02)
    assert cfg.train.steps == 137 * 162  # 2604 unlabelled images in sixteens
    assert cfg.method.image_weight == pytest.approx(0.001 * 2 * 19) and cfg.method.region_weight == 100.0
    assert (cfg.method.ohem_threshold, cfg.method.ohem_min_kept, cfg.method.teacher_cps_weight) == (0.7, 800_000, 5.0)
    epochs = [mgd_cityscapes("resnet18", share).train.steps // per for share, per in
              (("1_16", 174), ("1_8", 162), ("1_4", 139), ("1_2", 93))]  # fmt: skip
    assert epochs == [128, 137, 160, 240]


@pytest.mark.parametrize(
    ("student", "rate", "image", "region"), [("resnet18", 0.01, 0.002, 100.0), ("mobilenetv2", 0.014, 0.0005, 50.0)]
)
def test_published_numbers_of_voc(student, rate, image, region):
    cfg = mgd_voc(student, "1_8")
    assert (cfg.data.crop, cfg.data.labelled, cfg.data.dataset, cfg.optim.lr) == ((512, 512), 8, "voc", rate)
    assert cfg.train.steps == 34 * 1157  # 9260 unlabelled images in eights
    assert cfg.method.image_weight == pytest.approx(image * 2 * 21) and cfg.method.region_weight == region
    assert (cfg.method.ohem_min_kept, cfg.method.teacher_cps_weight) == (0, 1.0)
    theirs = RECIPES[f"mgd_official_voc_{student}_1_8"]("mgd")
    assert theirs.method.image_weight == 2 * image and theirs.data.unlabelled == 16


def test_official_and_fixed_differ_in_the_switches_alone():
    theirs, fixed = (RECIPES[f"mgd_{form}cityscapes_resnet18_1_8"]("mgd") for form in ("official_", ""))
    beside = {"recipe", "run_dir", "data.unlabelled", "method.image_weight"}
    assert set(differences(fixed, theirs)) == OFFICIAL.keys() | beside
    cps = RECIPES["mgd_official_voc_resnet18_1_8"]("cps")
    assert (cps.method.partner, cps.method.overlap, cps.method.passes) == ("halves", "invert", "separate")
    assert cps.student.head == "official" and cps.data.unlabelled == 16
    assert RECIPES["mgd_official_voc_resnet18_1_8"]("supervised").data.unlabelled == 8


def test_the_classic_lists_are_shares_of_the_small_set():
    cfg = configure(method="mgd", recipe="mgd_voc_classic_resnet18_1_16")
    assert cfg.data.split == "splits/voc/pseudoseg_1_16" and cfg.train.steps == 32 * ((1464 - 91) // 8)
    with pytest.raises(KitError, match="resnet18, mobilenetv2"):
        mgd_voc("resnet50")
    with pytest.raises(KitError, match="unknown method"):
        mgd_voc(method="own")


def test_every_combination_has_a_name():
    assert len(MGD_RECIPES) == 3 * 2 * 2 * 4 and MGD_RECIPES.keys() < RECIPES.keys()


@pytest.mark.parametrize("method", METHOD_CONFIGS)
@pytest.mark.parametrize("recipe", ["tiny", "camvid"])
def test_small_recipes_build_every_method(recipe, method):
    cfg = replace_fields(RECIPES[recipe](method), {"pretrained": False})
    teachers = {t: build_model(getattr(cfg.method, f"{t}_net"), 5, pretrained=False) for t in METHODS[method].teachers}
    assert build_method(cfg, 5, teachers).predictor().num_classes == 5


@pytest.mark.slow
@pytest.mark.parametrize("method", ["supervised", "cps", "unimatch", "trikd"])
@pytest.mark.parametrize("recipe", ["mgd_official_cityscapes_resnet18_1_8", "mgd_voc_mobilenetv2_1_8"])
def test_published_students_fit_every_kind_of_method(recipe, method):
    cfg = configure(method=method, recipe=recipe, pretrained=False, overrides=(
        {"method.cnn.name": "resnet_demo", "method.vit.name": "deit_demo"} if method == "trikd" else {}))  # fmt: skip
    build_method(cfg, 5)
