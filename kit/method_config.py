"""Settings of networks and of methods, which `kit.config.RunConfig` takes up."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

from kit.checks import require_choice, require_non_negative, require_positive, require_share
from kit.errors import KitError


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """One segmentation network. "Official" is what TriKD's authors have in their code, where the kit has better, and
    for a DeepLabv3+ what MGD's have."""

    name: str = "tinyvit_21m"
    """A key of `kit.models.build.MODELS`; or any network of timm: "timm/NAME" under the dual-frequency UPer decoder,
    "hybrid/NAME" with transformer blocks between NAME and that decoder, "deeplab/NAME" under DeepLabv3+'s."""
    weights: str | None = None
    """Where pretrained weights come from (`kit.models.weights`): a local file, "hub" (timm's cache or the hub) or
    "package" (an installed one); None takes timm's cache, a package or the hub, the first that is there."""
    input_scale: float | None = None
    """Resize images by this factor before the encoder, to the nearest size it takes, so that a ViT has a finer token
    grid; logits keep the images' size. None leaves images as they are, whose sides must then fit the encoder."""
    widths: tuple[int, int, int, int] | None = None
    """Channels of the decoder's four levels, fine to coarse; None takes what `name` has."""
    selection: str = "frequency"
    """Lateral connections of the decoder: "frequency" (channels selected by the high, high and low band), "swapped"
    (by the low, low and high band) or "plain" (1x1 convolutions)."""
    d0: float = 10.0
    """Radius of the Gaussian low-pass, in frequency bins; infinite lets everything pass as low."""
    d0_relative: bool = False
    """Read `d0` as bins at the published crop of 512 and let it grow and shrink with the image; official: False."""
    filter_centre: str = "exact"
    """Where the Gaussian stands: "exact" on the zero frequency, or "official", one bin beside it for even sizes."""
    frequency_path: str = "auto"
    """How maps are filtered: "matmul" (products with fixed matrices, no Fourier transform, exportable), "fft", or
    "auto", the faster one by the size of the map. The numbers are the same."""
    pyramid: str = "deepest_coarse"
    """Order of a ViT's blocks in its pyramid: "deepest_coarse" (deepest at 1/32), or "official" (deepest at 1/4)."""
    grid: tuple[int, int] | None = None
    """Token grid (height, width) at which a ViT keeps its position embedding; None is that of the pretrained one,
    official is the crop's. It is resized to images of other sizes either way."""
    prefix_tokens: str | None = None
    """Class, distillation and register tokens of a ViT: "dropped" before the first block (as in TriKD) or "kept"
    through all blocks, as DINOv2 and DINOv3 were trained; None keeps them where there are register tokens."""
    stem_stride: int | None = None
    """Of a hybrid: stride at which its transformer blocks work, 16 or 32; None takes what `name` has."""
    blocks: int | None = None
    """Of a hybrid: number of transformer blocks; None takes what `name` has."""
    block_width: int | None = None
    """Of a hybrid: channels of a token, a multiple of 32; None takes what `name` has."""
    last_block: str = "kept"
    """Last block of a TinyViT: "kept" as pretrained, or "global" (official): attention over the whole map, without
    windows and without position bias."""
    head: str = "smp"
    """ASPP of a DeepLabv3+: "smp" (segmentation_models_pytorch's), or "official": leaky ReLUs, and a finest map with
    fewer than 48 channels keeps them all."""
    encoder: str = "timm"
    """Encoder of a DeepLabv3+: "timm" (timm's at output stride 16), or "official": last stage dilated by 2, 4, 8,
    ResNet-18 with plain shortcuts, MobileNetV2 at output stride 32."""
    dropout: float = 0.1
    """Share of channels dropped before the classifier; official for a DeepLabv3+: 0."""
    classifier: str = "torch"
    """First weights of a DeepLabv3+'s classifier: "torch" (torch's default, standard deviation 0.036), or (official)
    "kaiming" (normal, 0.088)."""
    recompute: bool = False
    """Compute activations inside the encoder's blocks again in the backward pass instead of keeping them: less memory
    for one more forward of the encoder, with the same result."""

    def __post_init__(self):
        require_choice(("smp", "official"), head=self.head)
        require_choice(("timm", "official"), encoder=self.encoder)
        require_choice(("torch", "kaiming"), classifier=self.classifier)
        require_choice(("frequency", "swapped", "plain"), selection=self.selection)
        require_choice(("exact", "official"), filter_centre=self.filter_centre)
        require_choice(("auto", "matmul", "fft"), frequency_path=self.frequency_path)
        require_choice(("deepest_coarse", "official"), pyramid=self.pyramid)
        require_choice(("kept", "global"), last_block=self.last_block)
        if self.d0 != math.inf:
            require_positive(d0=self.d0)
        require_choice((None, "dropped", "kept"), prefix_tokens=self.prefix_tokens)
        require_choice((None, 16, 32), stem_stride=self.stem_stride)
        for size in (*(self.widths or ()), *(self.grid or ())):
            require_positive(**{"widths and grid": size})
        for name in ("input_scale", "blocks", "block_width"):
            if getattr(self, name) is not None:
                require_positive(**{name: getattr(self, name)})
        require_share(dropout=self.dropout)


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
    where the kit has better; `kit.ablations.OFFICIAL` lists all of it, with the switches of networks and of the rate.
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
        require_share(ramp=self.ramp, ohem_threshold=self.ohem_threshold)
        if not self.weights():
            raise KitError("every weight of trikd is 0; nothing would be learnt")

    def weights(self) -> dict[str, float]:
        """Terms that are computed, with their multipliers before the ramp."""
        weights = {term: getattr(self, f"{term}_weight") for term, view in self.NEEDS.items() if view in self.views}
        return {term: weight for term, weight in weights.items() if weight > 0}
