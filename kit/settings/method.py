"""Settings of supervised training, CPS and TriKD."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from kit.errors import KitError
from kit.settings.checks import Checked, NonNegative, Share, Whole
from kit.settings.network import ModelConfig

ClassPaste = Literal["none", "half", "small"]
"""What may be pasted from labelled images over unlabelled ones: nothing, or which half of the classes of one."""
Overlap = Literal["union", "invert"]
Partner = Literal["roll", "halves"]
Passes = Literal["joint", "separate"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledConfig(Checked):
    """The supervised loss, which all methods have."""

    WHERE = "method."
    ohem_threshold: Share = 0.7
    """Pixels whose true class already has this probability are left out of the cross entropy."""
    ohem_min_kept: Whole = 0
    """At least this many pixels of a step are kept, the hardest first, over all its processes (each of its micro-steps
    keeps a share); 0 switches OHEM off (plain cross entropy)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnlabelledConfig(LabelledConfig):
    """What all methods have that learn from unlabelled images."""

    ramp: Share = 0.0
    """Share of the run over which the weights of all but supervised terms rise linearly from 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SupervisedConfig(LabelledConfig):
    """Only labelled images; the row every other method has to beat."""

    name: ClassVar[str] = "supervised"


@dataclass(frozen=True, kw_only=True, slots=True)
class CPSConfig(UnlabelledConfig):
    """Cross pseudo supervision between two copies of the student."""

    name: ClassVar[str] = "cps"
    cps_weight: NonNegative = 1.5
    """Multiplier on the cross pseudo loss."""
    cutmix: bool = False
    """Take the cross pseudo loss on unlabelled images with boxes of others, and on these alone."""
    overlap: Overlap = "union"
    """Where several boxes overlap the partner is seen, "union", or (official) only if their number is odd, "invert"."""
    partner: Partner = "roll"
    """An image is mixed with the one before in the batch, "roll", or (official, whose two loaders this amounts to) the
    first half of the batch with the second, "halves"."""
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

    Every term NAME has its multiplier NAME_weight; at 0 it is not computed. "Official" is what the authors' code does
    where the kit has better; `kit.settings.ablations.OFFICIAL` lists all of it, with the switches of networks and of
    the rate.
    """

    name: ClassVar[str] = "trikd"
    NEEDS: ClassVar[dict[str, str]] = {"sup": "student", "sup_cnn": "cnn", "sup_vit": "vit", "cps": "student",
                                       "low": "cnn", "high": "vit"}  # fmt: skip
    """Each term, and the view without which there is none."""
    cnn: ModelConfig = field(default_factory=lambda: ModelConfig(name="resnet101"))
    """The convolutional view."""
    vit: ModelConfig = field(default_factory=lambda: ModelConfig(name="deit_b"))
    """The transformer view; it must offer attention scores, and so must the student."""
    views: tuple[Literal["student", "cnn", "vit"], ...] = ("student", "cnn", "vit")
    """Networks that take part: the student and at least one other. What needs a network that does not is left out."""
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
    """The low-level MSE is in the unit of the "map" (published, for ResNet-101's), or in the "variance" of the CNN's
    map, for encoders of another scale: EfficientNet-Lite's maps, which no ReLU follows, are ten times larger."""
    high_weight: NonNegative = 0.1
    """Multiplier on the attention KL, in the unit that `high_reduction` says. Published: 0.5 on a mean over every
    element of the table, which is 0.5 / (tokens of the ViT) on a mean over queries and practically nothing."""
    high_reduction: Literal["queries", "elements"] = "queries"
    """The attention KL is a mean over images, heads and "queries", or (official) over all "elements" of the table."""
    high_resize: Literal["grids", "table"] = "grids"
    """The student's attention is resized to the ViT's along the two-dimensional "grids" of queries and keys, or
    (official) as one "table" of flattened tokens."""
    sup_vit_loss: Literal["ce", "ohem"] = "ce"
    """The ViT's supervised loss: plain cross entropy "ce" (also official, whatever the paper says) or "ohem"."""
    padding: Literal["masked", "taught"] = "masked"
    """Pixels added around small unlabelled crops are "masked" out of the cross pseudo loss, or (official) "taught"."""
    passes: Passes = "joint"
    """Labelled and unlabelled images go through a network in one "joint" pass, so that batch norm sees both together,
    or (official) in two "separate" ones, which want a third less memory."""
    unlabelled_view: Literal["weak", "strong"] = "weak"
    """All networks learn on the "weak" crops, and from labels of the same pass (published), or on "strong" views with
    CutMix, from labels that running averages of the networks give the weak crops (French et al., BMVC 2020)."""
    label_decay: Share = 0.99
    """Of these averages (smaller in the first steps)."""
    cps_labels: Literal["pairs", "mean"] = "pairs"
    """With strong views, a network learns from each of the others ("pairs", as published), or, as often, from the mean
    probability of all averages ("mean")."""
    cps_threshold: Share = 0.0
    """With strong views: labels of a lower probability are not learnt; published: 0."""
    cps_agreement: bool = False
    """With strong views: only labels that all who give labels agree on are learnt; published: False."""
    class_share: Share = 0.0
    """With strong views: as in `FixMatchConfig`."""
    class_paste: ClassPaste = "none"
    """With strong views: as in `FixMatchConfig`."""
    ohem_min_kept: Whole = 200_000
    """For the CNN and the student."""

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
        """Terms that are computed, with their multipliers before the ramp."""
        weights = {term: getattr(self, f"{term}_weight") for term, view in self.NEEDS.items() if view in self.views}
        return {term: weight for term, weight in weights.items() if weight > 0}
