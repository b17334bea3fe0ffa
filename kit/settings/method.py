"""Settings of supervised training, CPS and TriKD."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from kit.errors import KitError
from kit.settings.checks import Checked, NonNegative, Share, Whole
from kit.settings.network import ModelConfig

ClassPaste = Literal["none", "half", "small"]
"""Classes of a labelled image that are pasted over unlabelled ones: none, a random half, or the half with the fewest
pixels."""
Overlap = Literal["union", "invert"]
Partner = Literal["roll", "halves"]
Passes = Literal["joint", "separate"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledConfig(Checked):
    """Settings of the supervised loss, which all methods have."""

    WHERE = "method."
    ohem_threshold: Share = 0.7
    """OHEM leaves pixels out of the cross entropy whose true class has a higher probability than this."""
    ohem_min_kept: Whole = 0
    """Number of pixels, hardest first, that OHEM keeps at least in each step, over all processes (divided among its
    micro-steps); 0 switches OHEM off (plain cross entropy)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnlabelledConfig(LabelledConfig):
    """Fields of all methods that learn from unlabelled images."""

    ramp: Share = 0.0
    """Share of the run over which the weights of all but supervised terms rise linearly from 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SupervisedConfig(LabelledConfig):
    """Supervised training on labelled images only: the baseline of every table."""

    name: ClassVar[str] = "supervised"


@dataclass(frozen=True, kw_only=True, slots=True)
class CPSConfig(UnlabelledConfig):
    """Cross pseudo supervision between two copies of the student."""

    name: ClassVar[str] = "cps"
    cps_weight: NonNegative = 1.5
    """Multiplier on the cross pseudo loss."""
    cutmix: bool = False
    """Compute the cross pseudo loss only on unlabelled images, mixed by CutMix."""
    overlap: Overlap = "union"
    """Where boxes overlap, show the partner always ("union"), or (official) only if their number is odd ("invert")."""
    partner: Partner = "roll"
    """Mix each image with the previous one in the batch ("roll"), or (official) the first half of the batch with the
    second ("halves"), which is equivalent to the official code's two loaders."""
    passes: Passes = "joint"
    """Labelled and unlabelled images go through a network in one "joint" pass, or (official) in "separate" ones."""
    class_paste: ClassPaste = "none"
    """With `cutmix`: as in `FixMatchConfig`."""

    def __post_init__(self):
        Checked.__post_init__(self)
        if self.class_paste != "none" and (not self.cutmix or self.partner == "halves"):
            raise KitError('method.class_paste needs method.cutmix and method.partner "roll", which leaves as many '
                           "mixed images as unlabelled ones")  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class TriKDConfig(UnlabelledConfig):
    """Triple-view knowledge distillation: the student, a convolutional and a transformer network teach each other.

    Every term NAME has a multiplier NAME_weight; at 0 it is not computed. "Official" marks the setting of the authors'
    code where the kit's default differs; `kit.settings.ablations.OFFICIAL` lists all such settings, including those of
    networks and learning rate.
    """

    name: ClassVar[str] = "trikd"
    NEEDS: ClassVar[dict[str, str]] = {"sup": "student", "sup_cnn": "cnn", "sup_vit": "vit", "cps": "student",
                                       "low": "cnn", "high": "vit"}  # fmt: skip
    """Term -> the view it needs."""
    cnn: ModelConfig = field(default_factory=lambda: ModelConfig(name="resnet101"))
    """The convolutional view."""
    vit: ModelConfig = field(default_factory=lambda: ModelConfig(name="deit_b"))
    """The transformer view; it must offer attention scores, and so must the student."""
    views: tuple[Literal["student", "cnn", "vit"], ...] = ("student", "cnn", "vit")
    """Networks that take part: the student and at least one other. Terms that need a missing network are left out."""
    sup_weight: NonNegative = 1.0
    """Multiplier on the student's supervised loss."""
    sup_cnn_weight: NonNegative = 1.0
    """Multiplier on the CNN's supervised loss."""
    sup_vit_weight: NonNegative = 1.0
    """Multiplier on the ViT's supervised loss."""
    cps_weight: NonNegative = 0.1
    """Multiplier on the cross pseudo loss, a sum over ordered pairs of views (six of them)."""
    low_weight: NonNegative = 0.5
    """Multiplier on the low-level MSE (student's finest map against the CNN's); published: 0.5 (21M), 0.9 (11M)."""
    low_unit: Literal["map", "variance"] = "map"
    """Scale of the low-level MSE: plain, in the unit of the "map" (published, with ResNet-101), or divided by the
    "variance" of the CNN's map, for encoders of another scale: EfficientNet-Lite's maps, without a ReLU at their end,
    are ten times larger."""
    high_weight: NonNegative = 0.1
    """Multiplier on the attention KL, in the unit set by `high_reduction`. Published: 0.5 for a mean over all
    elements of the table, which equals 0.5 / (tokens of the ViT) for a mean over queries, a negligible weight."""
    high_reduction: Literal["queries", "elements"] = "queries"
    """The attention KL is a mean over images, heads and "queries", or (official) over all "elements" of the table."""
    high_resize: Literal["grids", "table"] = "grids"
    """The student's attention is resized to the ViT's along the two-dimensional "grids" of queries and keys, or
    (official) as one "table" of flattened tokens."""
    sup_vit_loss: Literal["ce", "ohem"] = "ce"
    """The ViT's supervised loss: plain cross entropy "ce" (also official, though the paper says OHEM) or "ohem"."""
    padding: Literal["masked", "taught"] = "masked"
    """Padding of small unlabelled crops is "masked" out of the cross pseudo loss, or (official) "taught"."""
    passes: Passes = "joint"
    """Labelled and unlabelled images go through a network in one "joint" pass, so that batch norm sees both together,
    or (official) in two "separate" ones, which need a third less memory."""
    unlabelled_view: Literal["weak", "strong"] = "weak"
    """All networks learn on the "weak" crops from labels of the same pass (published), or on "strong" views with CutMix
    from labels that running averages of the networks predict on the weak crops (French et al., BMVC 2020)."""
    label_decay: Share = 0.99
    """Decay of these averages (smaller in the first steps)."""
    cps_labels: Literal["pairs", "mean"] = "pairs"
    """With strong views: a network learns from each of the others ("pairs", as published), or from the mean probability
    of all averages ("mean"), whose term counts as often as the pairs would."""
    cps_threshold: Share = 0.0
    """With strong views: lowest probability of a label that is learnt; published: 0."""
    cps_agreement: bool = False
    """With strong views: learn only labels on which all networks that provide them agree; published: False."""
    class_share: Share = 0.0
    """With strong views: as in `FixMatchConfig`."""
    class_paste: ClassPaste = "none"
    """With strong views: as in `FixMatchConfig`."""
    ohem_min_kept: Whole = 200_000
    """As in `LabelledConfig`, for the CNN and the student."""

    def __post_init__(self):
        Checked.__post_init__(self)
        if "student" not in self.views or len(set(self.views)) < max(2, len(self.views)):
            raise KitError(f'method.views must be "student" and other views, each once, got {list(self.views)}')
        filters = self.cps_labels != "pairs" or self.cps_threshold or self.cps_agreement or self.class_share
        if self.unlabelled_view == "weak" and (filters or self.class_paste != "none"):
            raise KitError("method.cps_labels, cps_threshold, cps_agreement, class_share and class_paste need "
                           'method.unlabelled_view "strong"')  # fmt: skip
        if not self.weights():
            raise KitError("every weight of trikd is 0; nothing would be learnt")

    def weights(self) -> dict[str, float]:
        """Multipliers, before the ramp, of the terms that are computed."""
        weights = {term: getattr(self, f"{term}_weight") for term, view in self.NEEDS.items() if view in self.views}
        return {term: weight for term, weight in weights.items() if weight > 0}
