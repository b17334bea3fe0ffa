"""Settings of supervised training, CPS and TriKD."""

from dataclasses import dataclass, field
from typing import ClassVar

from kit.errors import KitError
from kit.settings.checks import require_choice, require_non_negative, require_share
from kit.settings.network import ModelConfig

CLASS_PASTE = ("none", "half", "small")
"""What may be pasted from labelled images over unlabelled ones: nothing, or which half of the classes of one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SupervisedConfig:
    """Only labelled images; the row every other method has to beat."""

    name: ClassVar[str] = "supervised"
    ohem_threshold: float = 0.7
    """Pixels whose true class already has this probability are left out of the cross entropy."""
    ohem_min_kept: int = 0
    """At least this many pixels of a step are kept, the hardest first, over all its processes (each of its micro-steps
    keeps a share); 0 switches OHEM off (plain cross entropy)."""

    def __post_init__(self):
        require_share(ohem_threshold=self.ohem_threshold)
        require_non_negative(ohem_min_kept=self.ohem_min_kept)


@dataclass(frozen=True, kw_only=True, slots=True)
class CPSConfig:
    """Cross pseudo supervision between two copies of the student."""

    name: ClassVar[str] = "cps"
    cps_weight: float = 1.5
    """Multiplier on the cross pseudo loss."""
    ramp: float = 0.0
    """Share of the run over which `cps_weight` rises linearly from 0."""
    cutmix: bool = False
    """Take the cross pseudo loss on unlabelled images with boxes of others, and on these alone."""
    overlap: str = "union"
    """Where several boxes overlap the partner is seen, "union", or (official) only if their number is odd, "invert"."""
    partner: str = "roll"
    """An image is mixed with the one before in the batch, "roll", or (official, whose two loaders this amounts to) the
    first half of the batch with the second, "halves"."""
    passes: str = "joint"
    """Labelled and unlabelled images go through a network in one "joint" pass, or (official) in "separate" ones."""
    ohem_threshold: float = 0.7
    """As in `SupervisedConfig`."""
    ohem_min_kept: int = 0
    """As in `SupervisedConfig`."""

    def __post_init__(self):
        require_choice(("union", "invert"), overlap=self.overlap)
        require_choice(("roll", "halves"), partner=self.partner)
        require_choice(("joint", "separate"), passes=self.passes)
        require_non_negative(cps_weight=self.cps_weight, ohem_min_kept=self.ohem_min_kept)
        require_share(ramp=self.ramp, ohem_threshold=self.ohem_threshold)


@dataclass(frozen=True, kw_only=True, slots=True)
class TriKDConfig:
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
    views: tuple[str, ...] = ("student", "cnn", "vit")
    """Networks that take part: the student and at least one other. What needs a network that does not is left out."""
    sup_weight: float = 1.0
    """Multiplier on the student's supervised loss."""
    sup_cnn_weight: float = 1.0
    """Multiplier on the CNN's supervised loss."""
    sup_vit_weight: float = 1.0
    """Multiplier on the ViT's supervised loss."""
    cps_weight: float = 0.1
    """Multiplier on the cross pseudo loss, a sum over ordered pairs of views (six of them)."""
    low_weight: float = 0.5
    """Multiplier on the low-level MSE (student's finest map against the CNN's); published: 0.5 (21M), 0.9 (11M)."""
    low_unit: str = "map"
    """The low-level MSE is in the unit of the "map" (published, for ResNet-101's), or in the "variance" of the CNN's
    map, for encoders of another scale: EfficientNet-Lite's maps, which no ReLU follows, are ten times larger."""
    high_weight: float = 0.1
    """Multiplier on the attention KL, in the unit that `high_reduction` says. Published: 0.5 on a mean over every
    element of the table, which is 0.5 / (tokens of the ViT) on a mean over queries and practically nothing."""
    high_reduction: str = "queries"
    """The attention KL is a mean over images, heads and "queries", or (official) over all "elements" of the table."""
    high_resize: str = "grids"
    """The student's attention is resized to the ViT's along the two-dimensional "grids" of queries and keys, or
    (official) as one "table" of flattened tokens."""
    sup_vit_loss: str = "ce"
    """The ViT's supervised loss: plain cross entropy "ce" (also official, whatever the paper says) or "ohem"."""
    padding: str = "masked"
    """Pixels added around small unlabelled crops are "masked" out of the cross pseudo loss, or (official) "taught"."""
    passes: str = "joint"
    """Labelled and unlabelled images go through a network in one "joint" pass, so that batch norm sees both together,
    or (official) in two "separate" ones, which want a third less memory."""
    unlabelled_view: str = "weak"
    """All networks learn on the "weak" crops, and from labels of the same pass (published), or on "strong" views with
    CutMix, from labels that running averages of the networks give the weak crops (French et al., BMVC 2020)."""
    label_decay: float = 0.99
    """Of these averages (smaller in the first steps)."""
    cps_labels: str = "pairs"
    """With strong views, a network learns from each of the others ("pairs", as published), or, as often, from the mean
    probability of all averages ("mean")."""
    cps_threshold: float = 0.0
    """With strong views: labels of a lower probability are not learnt; published: 0."""
    cps_agreement: bool = False
    """With strong views: only labels that all who give labels agree on are learnt; published: False."""
    class_share: float = 0.0
    """With strong views: as in `FixMatchConfig`."""
    class_paste: str = "none"
    """With strong views: as in `FixMatchConfig`."""
    ramp: float = 0.0
    """Share of the run over which the weights of cps, low and high rise linearly from 0."""
    ohem_threshold: float = 0.7
    """As in `SupervisedConfig`; for the CNN and the student."""
    ohem_min_kept: int = 200_000
    """As in `SupervisedConfig`."""

    def __post_init__(self):
        require_non_negative(ohem_min_kept=self.ohem_min_kept)
        require_non_negative(**{f"{term}_weight": getattr(self, f"{term}_weight") for term in self.NEEDS})
        if "student" not in self.views or len(set(self.views)) < max(2, len(self.views)):
            raise KitError(f'method.views must be "student" and other views, each once, got {list(self.views)}')
        for view in self.views:
            require_choice(("student", "cnn", "vit"), **{"method.views": view})
        require_choice(("map", "variance"), low_unit=self.low_unit)
        require_choice(("queries", "elements"), high_reduction=self.high_reduction)
        require_choice(("grids", "table"), high_resize=self.high_resize)
        require_choice(("ce", "ohem"), sup_vit_loss=self.sup_vit_loss)
        require_choice(("masked", "taught"), padding=self.padding)
        require_choice(("joint", "separate"), passes=self.passes)
        require_choice(("weak", "strong"), unlabelled_view=self.unlabelled_view)
        require_choice(("pairs", "mean"), cps_labels=self.cps_labels)
        require_choice(CLASS_PASTE, class_paste=self.class_paste)
        require_share(ramp=self.ramp, ohem_threshold=self.ohem_threshold, cps_threshold=self.cps_threshold,
                      class_share=self.class_share, label_decay=self.label_decay)  # fmt: skip
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
