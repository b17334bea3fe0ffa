import pytest

from kit.errors import KitError
from kit.methods.build import METHODS, build_method
from kit.models.build import build_model
from kit.settings.fields import differences, flat, replace_fields
from kit.settings.recipes import RECIPES, configure
from kit.settings.recipes.mgd import MGD_RECIPES, OFFICIAL, mgd_cityscapes, mgd_voc
from kit.settings.run import METHOD_CONFIGS
from kit.train.teachers import teacher_config


def test_published_numbers_of_cityscapes():
    cfg = mgd_cityscapes("resnet18", "1_8")
    assert (cfg.student.name, cfg.student.dropout) == ("deeplab_resnet18", 0.0)
    assert (cfg.data.crop, cfg.data.labelled, cfg.data.unlabelled) == ((800, 800), 16, 16)
    assert (cfg.optim.lr, cfg.optim.weight_decay) == (0.0025, 8e-4)
    assert cfg.train.steps == 137 * 162  # 2604 unlabelled images in sixteens
    assert cfg.method.image_weight == pytest.approx(0.001 * 2 * 19) and cfg.method.region_weight == 100.0
    assert (cfg.method.ohem_threshold, cfg.method.ohem_min_kept, cfg.method.teacher_cps_weight) == (0.7, 800_000, 5.0)
    epochs = [mgd_cityscapes("resnet18", share).train.steps // per for share, per in
              (("1_16", 174), ("1_8", 162), ("1_4", 139), ("1_2", 93))]  # fmt: skip
    assert epochs == [128, 137, 160, 240]


@pytest.mark.parametrize(
    ("student", "rate", "image", "region"),
    [("resnet18", 0.0025, 0.002, 100.0), ("mobilenetv2", 0.0035, 0.0005, 50.0)],
)
def test_published_numbers_of_voc(student, rate, image, region):
    cfg = mgd_voc(student, "1_8")
    assert (cfg.data.crop, cfg.data.labelled, cfg.data.dataset) == ((512, 512), 8, "voc")
    assert (cfg.optim.lr, cfg.optim.weight_decay) == (rate, 4e-4)
    assert cfg.train.steps == 34 * 1157  # 9260 unlabelled images in eights
    assert cfg.method.image_weight == pytest.approx(image * 2 * 21) and cfg.method.region_weight == region
    assert (cfg.method.ohem_min_kept, cfg.method.teacher_cps_weight) == (0, 1.0)


SCALES = [0.5, 0.75, 1.0, 1.5, 1.75, 2.0]
NET = {"head": "official", "encoder": "official", "classifier": "kaiming", "dropout": 0.0}
SAME = {  # in every script of the authors
    **{f"{net}.{name}": value for net in ("student", "method.deep_net", "method.wide_net")
       for name, value in NET.items()},
    "method.deep_net.name": "deeplab_resnet101", "method.wide_net.name": "deeplab_wide_resnet50",
    "optim.name": "sgd", "optim.power": 0.9, "optim.warmup": 0, "optim.decay_all": False, "optim.decoder_lr": 1.0,
    "optim.lag": 0,
    "data.discrete_scales": SCALES, "data.jitter": 0.0,
    "method.sup_weight": 1.0, "method.pixel_weight": 1.0, "method.pixel_labelled_weight": 1.0,
    "method.image_reduction": "sum", "method.overlap": "invert", "method.partner": "halves",
    "method.padding": "taught", "method.passes": "separate", "method.teacher_norm": "batch",
    "method.unmixed_passes": True, "method.ramp": 0.0, "method.teacher_ramp": 0.0, "method.ohem_threshold": 0.7,
    "evaluate.mode": "slide", "evaluate.stride": None, "evaluate.combine": "logits", "evaluate.pad": "centre",
    "evaluate.scales": [1.0], "evaluate.flip": False,
}  # fmt: skip
CITY = {"data.crop": [800, 800], "evaluate.window": [800, 800], "data.labelled": 16, "data.unlabelled": 32,
        "optim.lr": 0.02 / 8, "optim.weight_decay": 1e-4 * 8, "train.steps": 137 * (2604 // 16),
        "method.ohem_min_kept": 50_000 * 16, "method.image_weight": 0.001 * 2, "method.region_weight": 100.0,
        "student.name": "deeplab_resnet18"}  # fmt: skip
VOC = {"data.crop": [512, 512], "evaluate.window": [512, 512], "data.labelled": 8, "data.unlabelled": 16,
       "optim.weight_decay": 1e-4 * 4, "train.steps": 34 * (9260 // 8), "method.ohem_min_kept": 0}  # fmt: skip
VALUES = {  # of the authors' config.py, script.sh and train.py; rates and decay as they act, on eight and four GPUs
    "cityscapes_resnet18": CITY,
    "voc_resnet18": {**VOC, "optim.lr": 0.0025 * 4 / 4, "method.image_weight": 0.002 * 2,
                     "method.region_weight": 100.0, "student.name": "deeplab_resnet18"},
    "voc_mobilenetv2": {**VOC, "optim.lr": 0.0035 * 4 / 4, "method.image_weight": 0.0005 * 2,
                        "method.region_weight": 50.0, "student.name": "deeplab_mobilenetv2"},
}  # fmt: skip
CPS = {"method.name": "cps", "method.cutmix": True, "method.overlap": "invert", "method.partner": "halves",
       "method.passes": "separate", "method.ramp": 0.0, "data.discrete_scales": SCALES, "data.labelled": 8,
       "data.unlabelled": 16, "student.classifier": "kaiming", "student.head": "official"}  # fmt: skip
TEACHERS = {
    "cityscapes": {"optim.lr": 0.02 / 8, "optim.weight_decay": 1e-4 * 8, "train.steps": 137 * (2604 // 8),
                   "method.cps_weight": 5.0, "method.ohem_min_kept": 50_000 * 8, "data.crop": [800, 800]},
    "voc": {"optim.weight_decay": 1e-4 * 4, "train.steps": 34 * (9260 // 8), "method.cps_weight": 1.0,
            "method.ohem_min_kept": 0, "data.crop": [512, 512]},
}  # fmt: skip


@pytest.mark.parametrize("setting", VALUES)
def test_official_settings_are_the_authors_value_by_value(setting):
    wanted = {**SAME, **VALUES[setting]}
    has = flat(RECIPES[f"mgd_official_{setting}_1_8"]("mgd"))
    assert {name: has[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("setting", "name", "student", "rate"),
    [("cityscapes_resnet18", "deep", "deeplab_resnet101", 0.02 / 8),
     ("cityscapes_resnet18", "wide", "deeplab_wide_resnet50", 0.02 / 8),
     *((f"voc_{of}", *rest) for of in ("resnet18", "mobilenetv2") for rest in
       (("deep", "deeplab_resnet101", 0.0025 * 4 / 4), ("wide", "deeplab_wide_resnet50", 0.001 * 4 / 4)))],
)  # fmt: skip
def test_teachers_of_official_settings_are_the_authors_value_by_value(setting, name, student, rate):
    wanted = {**CPS, **TEACHERS[setting.split("_")[0]], "student.name": student, "optim.lr": rate}
    has = flat(teacher_config(RECIPES[f"mgd_official_{setting}_1_8"]("mgd"), name))
    assert {name: has[name] for name in wanted} == wanted


def test_official_and_fixed_differ_in_the_switches_alone():
    theirs, fixed = (RECIPES[f"mgd_{form}cityscapes_resnet18_1_8"]("mgd") for form in ("official_", ""))
    beside = {"recipe", "run_dir", "data.unlabelled", "method.image_weight", "method.teacher_steps"}
    assert set(differences(fixed, theirs)) == OFFICIAL.keys() | beside
    cps = RECIPES["mgd_official_voc_resnet18_1_8"]("cps")
    assert (cps.method.partner, cps.method.overlap, cps.method.passes) == ("halves", "invert", "separate")
    assert cps.student.head == "official" and cps.data.unlabelled == 16
    assert RECIPES["mgd_official_voc_resnet18_1_8"]("supervised").data.unlabelled == 8


@pytest.mark.parametrize("method", ["fixmatch", "unimatch"])
def test_the_threshold_of_confidence_follows_the_data_set(method):
    thresholds = {
        name: make(method).method.threshold for name, make in RECIPES.items() if "cityscapes" in name or "voc" in name
    }
    assert len(thresholds) > 80
    assert all(value == (0.0 if "cityscapes" in name else 0.95) for name, value in thresholds.items())


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
