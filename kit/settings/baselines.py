"""Settings of MGD and of the baselines, as parts of `kit.settings.run.RunConfig`.

Every term NAME of a loss has a multiplier NAME_weight. "Official" marks the setting of the authors' public code where
the kit's default differs.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from kit.errors import KitError
from kit.settings.checks import Checked, NonNegative, Positive, Share, Whole
from kit.settings.method import ClassPaste, Overlap, Partner, Passes, UnlabelledConfig
from kit.settings.network import ModelConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class SemiConfig(UnlabelledConfig):
    """Fields that all methods of this file share."""

    sup_weight: NonNegative = 1.0
    """Multiplier on the supervised loss."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeanTeacherConfig(SemiConfig):
    """Mean teacher: the student learns to predict the outputs of a running average of itself."""

    name: ClassVar[str] = "mean_teacher"
    consistency_weight: NonNegative = 5.0
    """Multiplier on the squared difference of probabilities, summed over classes. The public code for segmentation has
    100 for a mean over VOC's 21 classes, which equals 4.8 for a sum."""
    ema_decay: Share = 0.99
    """Decay of the teacher's running average (smaller in the first steps)."""
    view: Literal["strong", "weak"] = "strong"
    """View of unlabelled images for the student: "strong", with strong colour changes, or (official) "weak", the same
    as the teacher's."""
    cutmix: bool = False
    """Paste boxes of one image over another, in images and in the teacher's predictions (French et al. 2020)."""
    class_paste: ClassPaste = "none"
    """As in `FixMatchConfig`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StrongViewsConfig(SemiConfig):
    """Fields that FixMatch and UniMatch share."""

    sup_weight: NonNegative = 0.5
    """Multiplier on the supervised loss."""
    threshold: Share = 0.95
    """Lowest probability of a pseudo label that is learnt; published: 0.95 (VOC), 0 (Cityscapes: all are learnt)."""
    cutmix: Share = 0.5
    """Probability that a strong view gets a box of another image, drawn per view; 0 switches CutMix off."""
    partner_pass: Literal["same", "eval"] = "same"
    """Labels of pasted pixels come from the "same" pass in train mode as those of the image itself, or (official) from
    a separate pass in "eval" mode."""
    labels_from: Literal["student", "average"] = "student"
    """Pseudo labels come from the "student" (published), or from its running "average" in eval mode, as in UniMatch V2
    (Yang et al. 2024, arXiv 2410.10777)."""
    label_decay: Share = 0.99
    """Of that average (smaller in the first steps)."""
    class_share: Share = 0.0
    """Share of the pixels of each predicted class that is learnt even below the threshold, most confident first
    (class-balanced self-training, Zou et al., ECCV 2018, arXiv 1810.07911); 0 (published) uses only `threshold`."""
    class_paste: ClassPaste = "none"
    """Classes of a labelled image to paste, with their labels, over each strong view: a random "half", the half with
    the fewest pixels ("small"), or "none" (published); see `kit.methods.unlabelled.class_paste`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FixMatchConfig(StrongViewsConfig):
    """FixMatch: confident predictions on the weak view are the labels of the strong view."""

    name: ClassVar[str] = "fixmatch"
    strong_weight: NonNegative = 0.5
    """Multiplier on the loss of the strong view."""


CLASS_BALANCED = {"labels_from": "average", "class_share": 0.5, "class_paste": "small"}
"""Options that improve FixMatch on CamVid (notebooks/study.md)."""


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
    """Images that are decoded a second time without these channels: "unlabelled", or (official) "all": labelled ones
    then update the decoder's batch norm, but no loss uses them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaughtConfig(SemiConfig):
    """Fields that MGD and plain distillation share: a student and two teachers from finished runs."""

    deep: str = ""
    """Finished run or model folder with the deep teacher; `kit.train.teachers.with_teachers` fills it in."""
    wide: str = ""
    """Finished run or model folder with the wide teacher."""
    deep_net: ModelConfig = field(default_factory=lambda: ModelConfig(name="deeplab_resnet101", dropout=0.0))
    """Network of the deep teacher where it has to be trained first."""
    wide_net: ModelConfig = field(default_factory=lambda: ModelConfig(name="deeplab_wide_resnet50", dropout=0.0))
    """Network of the wide teacher where it has to be trained first."""
    teacher_method: Literal["cps", "fixmatch"] = "cps"
    """Method of a teacher that has to be trained first: "cps" with CutMix (published), or "fixmatch" with
    CLASS_BALANCED, the kit's best for a single network on CamVid."""
    teacher_cps_weight: NonNegative = 1.0
    """Weight of the cross pseudo loss where teachers have to be trained first; published: 1 (VOC), 5 (Cityscapes)."""
    teacher_ramp: Share = 0.0
    """Share of a teacher's run over which that weight rises linearly from 0."""
    teacher_steps: Whole = 0
    """Updates of a teacher that has to be trained first; 0: as many as the student's."""
    teacher_batch: Whole = 0
    """Labelled images per step of such a teacher, and unlabelled ones in proportion; 0: as many as the student's."""
    deep_lr: NonNegative = 0.0
    """Base learning rate of a deep teacher that has to be trained first; 0: the student's."""
    wide_lr: NonNegative = 0.0
    """Base learning rate of a wide teacher that has to be trained first; 0: the student's."""


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
    """The same multiplier for labelled images."""
    image_weight: NonNegative = 0.038
    """Multiplier on the difference of logits averaged over an image. Published for a sum over classes and the images of
    a process: 0.001 (Cityscapes), 0.002 (VOC), 0.0005 (VOC, MobileNetV2). With two images per process this equals
    0.038, 0.084 and 0.021 for a mean."""
    region_weight: NonNegative = 100.0
    """Multiplier on the difference of self-similarities of 7 x 7 regions; published: 100, and 50 for MobileNetV2."""
    image_reduction: Literal["mean", "sum"] = "mean"
    """The image term is a "mean" over images and classes, or (official) a "sum" over classes. The authors also
    sum over the two images of a process; the official recipes put this factor into the weight, so that the number of
    processes does not matter."""
    overlap: Overlap = "union"
    """As in `CPSConfig`."""
    partner: Partner = "roll"
    """As in `CPSConfig`."""
    padding: Literal["masked", "taught"] = "masked"
    """Padding, and pixels of labelled images without a label, are "masked" out of every distilled term, or (official)
    "taught" like content."""
    passes: Passes = "joint"
    """As in `CPSConfig`."""
    teacher_norm: Literal["fixed", "batch"] = "fixed"
    """Batch norm of the teachers: "fixed" as trained, or (official) by "batch", which also updates its averages."""
    fused: bool = True
    """Fold the teachers' batch norm into their convolutions where it is fixed: faster, the same up to rounding."""
    unmixed_passes: bool = False
    """Also run the student on the unmixed images (official): no loss uses them, but they update batch norm averages."""
    unlabelled_view: Literal["weak", "strong"] = "weak"
    """The student learns on the "weak" crops (published), or on "strong" views of them, from the teachers' labels of
    the weak crops, as in FixMatch. The teachers' targets for regions and images come from the weak crops."""
    class_paste: ClassPaste = "none"
    """As in `FixMatchConfig`."""

    def __post_init__(self):
        Checked.__post_init__(self)
        if self.class_paste != "none" and self.partner == "halves":
            raise KitError('method.class_paste needs method.partner "roll": with "halves" there are half as many mixed '
                           "images as unlabelled ones")  # fmt: skip
