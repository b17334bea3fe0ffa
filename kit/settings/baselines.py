"""Settings of MGD and of the baselines beside it, which `kit.settings.run.RunConfig` takes up.

Every term NAME of a loss has its multiplier NAME_weight. "Official" is what the authors' public code does where the
kit has something else.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from kit.errors import KitError
from kit.settings.checks import Checked, NonNegative, Positive, Share, Whole
from kit.settings.method import ClassPaste, Overlap, Partner, Passes, UnlabelledConfig
from kit.settings.network import ModelConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class SemiConfig(UnlabelledConfig):
    """What all methods of this file have."""

    sup_weight: NonNegative = 1.0
    """Multiplier on the supervised loss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeanTeacherConfig(SemiConfig):
    """A running average of the student says what the student should predict."""

    name: ClassVar[str] = "mean_teacher"
    consistency_weight: NonNegative = 5.0
    """Multiplier on the squared difference of probabilities, a sum over classes. The public code for segmentation has
    100 on a mean over VOC's 21 classes, which is 4.8 on their sum."""
    ema_decay: Share = 0.99
    """Of the teacher (smaller in the first steps)."""
    view: Literal["strong", "weak"] = "strong"
    """What the student sees of unlabelled images: colours changed strongly, "strong", or (official) just what the
    teacher sees, "weak"."""
    cutmix: bool = False
    """Paste boxes of one image over another, and the same boxes of the teacher's predictions (French et al. 2020)."""
    class_paste: ClassPaste = "none"
    """As in `FixMatchConfig`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StrongViewsConfig(SemiConfig):
    """What FixMatch and UniMatch share."""

    sup_weight: NonNegative = 0.5
    """Multiplier on the supervised loss."""
    threshold: Share = 0.95
    """Pseudo labels of a lower probability are not learnt; published: 0.95 (VOC), 0 (Cityscapes: all are learnt)."""
    cutmix: Share = 0.5
    """Share of the strong views that get a box of another image, drawn for each view apart; 0 switches CutMix off."""
    partner_pass: Literal["same", "eval"] = "same"
    """Labels of what is pasted come from the "same" pass as those of the image itself, in train mode, or (official)
    from a pass of their own in "eval" mode."""
    labels_from: Literal["student", "average"] = "student"
    """Pseudo labels are those of the "student" (published), or of its running "average" in eval mode, as in UniMatch V2
    (Yang et al. 2024, arXiv 2410.10777)."""
    label_decay: Share = 0.99
    """Of that average (smaller in the first steps)."""
    class_share: Share = 0.0
    """Share of the pixels of each predicted class that is learnt, the surest first, below the threshold too
    (class-balanced self-training, Zou et al., ECCV 2018, arXiv 1810.07911); 0, published, knows `threshold` alone."""
    class_paste: ClassPaste = "none"
    """Paste "half" of the classes of a labelled image, with its labels, over each strong view, or the half that is
    "small", or "none" (published): `kit.methods.unlabelled.class_paste`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FixMatchConfig(StrongViewsConfig):
    """Confident predictions on the weak view are labels of the strong view."""

    name: ClassVar[str] = "fixmatch"
    strong_weight: NonNegative = 0.5
    """Multiplier on the loss of the strong view."""


CLASS_BALANCED = {"labels_from": "average", "class_share": 0.5, "class_paste": "small"}
"""Switches with which FixMatch gains on CamVid (notebooks/study.md)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UniMatchConfig(StrongViewsConfig):
    """FixMatch with two strong views and one view whose feature maps lose channels."""

    name: ClassVar[str] = "unimatch"
    strong_weight: NonNegative = 0.125
    """Multiplier on the loss of each of the two strong views."""
    feature_weight: NonNegative = 0.25
    """Multiplier on the loss of the view with dropped features."""
    feature_dropout: Share = 0.5
    """Share of the channels of every encoder map that is dropped."""
    feature_images: Literal["unlabelled", "all"] = "unlabelled"
    """Images that are decoded a second time without these channels: "unlabelled", or (official) "all", though no loss
    follows from the labelled ones; it moves the decoder's batch norm."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaughtConfig(SemiConfig):
    """A student and two teachers from finished runs: what MGD and plain distillation share."""

    deep: str = ""
    """Finished run or model folder with the deep teacher; `kit.train.teachers.with_teachers` fills it in."""
    wide: str = ""
    """Finished run or model folder with the wide teacher."""
    deep_net: ModelConfig = field(default_factory=lambda: ModelConfig(name="deeplab_resnet101", dropout=0.0))
    """Network of the deep teacher where it has to be trained first."""
    wide_net: ModelConfig = field(default_factory=lambda: ModelConfig(name="deeplab_wide_resnet50", dropout=0.0))
    """Network of the wide teacher where it has to be trained first."""
    teacher_method: Literal["cps", "fixmatch"] = "cps"
    """Method of a teacher that has to be trained first: "cps" with CutMix (published), or "fixmatch" with the
    switches CLASS_BALANCED, the kit's strongest for one network on CamVid."""
    teacher_cps_weight: NonNegative = 1.0
    """Weight of the cross pseudo loss where teachers have to be trained first; published: 1 (VOC), 5 (Cityscapes)."""
    teacher_ramp: Share = 0.0
    """Share of a teacher's run over which that weight rises linearly from 0."""
    teacher_steps: Whole = 0
    """Updates of a teacher that has to be trained first; 0: as many as the student's."""
    teacher_batch: Whole = 0
    """Labelled images per step of such a teacher, and unlabelled ones in proportion; 0: as many as the student's."""
    deep_lr: NonNegative = 0.0
    """Base rate of a deep teacher that has to be trained first; 0: the student's."""
    wide_lr: NonNegative = 0.0
    """Base rate of such a wide teacher; 0: the student's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DistillConfig(TaughtConfig):
    """Plain distillation: the student learns the teachers' probabilities at every pixel."""

    name: ClassVar[str] = "distill"
    deep_weight: NonNegative = 0.5
    """Multiplier on the divergence from the deep teacher."""
    wide_weight: NonNegative = 0.5
    """Multiplier on the divergence from the wide teacher."""
    temperature: Positive = 1.0
    """Divides the logits; the divergence is multiplied by its square."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MGDConfig(TaughtConfig):
    """Multi-granularity distillation: pixels from both teachers, images from the deep, regions from the wide one."""

    name: ClassVar[str] = "mgd"
    pixel_weight: NonNegative = 1.0
    """Multiplier on the cross entropy against both teachers' labels, on mixed unlabelled images."""
    pixel_labelled_weight: NonNegative = 1.0
    """The same on labelled images."""
    image_weight: NonNegative = 0.038
    """Multiplier on the difference of logits averaged over an image. Published, for a sum over the images of a process
    and the classes: 0.001 (Cityscapes), 0.002 (VOC), 0.0005 (VOC, MobileNetV2); as a mean, with two images a process,
    that is 0.038, 0.084 and 0.021."""
    region_weight: NonNegative = 100.0
    """Multiplier on the difference of self-similarities of 7 x 7 regions; published: 100, and 50 for MobileNetV2."""
    image_reduction: Literal["mean", "sum"] = "mean"
    """The image term is a "mean" over images and classes, or (official) a "sum" over classes; their sum over the two
    images of a process too is a factor in the weight of the official recipes, so that processes do not matter."""
    overlap: Overlap = "union"
    """As in `CPSConfig`."""
    partner: Partner = "roll"
    """As in `CPSConfig`."""
    padding: Literal["masked", "taught"] = "masked"
    """Padding and unlabelled pixels of labelled images are "masked" out of every distilled term, or (official)
    "taught"."""
    passes: Passes = "joint"
    """As in `CPSConfig`."""
    teacher_norm: Literal["fixed", "batch"] = "fixed"
    """Batch norm of the teachers: "fixed" as trained, or (official) by "batch", which also lets its averages drift."""
    fused: bool = True
    """Fold the teachers' batch norm into their convolutions where it is fixed: faster, the same up to rounding."""
    unmixed_passes: bool = False
    """Show the student the unmixed images as well (official): no loss follows, its batch norm averages move."""
    unlabelled_view: Literal["weak", "strong"] = "weak"
    """The student learns on the "weak" crops (published), or on "strong" views of them, from labels that the teachers
    give the weak crops, as FixMatch has it. The teachers' targets of regions and images are those of the weak crops."""
    class_paste: ClassPaste = "none"
    """As in `FixMatchConfig`."""

    def __post_init__(self):
        Checked.__post_init__(self)
        if self.class_paste != "none" and self.partner == "halves":
            raise KitError('method.class_paste needs method.partner "roll": with "halves" there are half as many mixed '
                           "images as unlabelled ones")  # fmt: skip
