"""Settings of one network, student or teacher."""

import math
from dataclasses import dataclass

from kit.settings.checks import require_choice, require_positive, require_share


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """One segmentation network. "Official" is what TriKD's authors have in their code, where the kit has better, and
    for a DeepLabv3+ what MGD's have."""

    name: str = "tinyvit_21m"
    """A key of `kit.models.build.MODELS`; or any network of timm: "timm/NAME" under the dual-frequency UPer decoder,
    "hybrid/NAME" with transformer blocks between NAME and that decoder, "deeplab/NAME" under DeepLabv3+'s."""
    weights: str | None = None
    """Where pretrained weights come from (`kit.models.encoders.pretrained`): a local file, "hub" (timm's cache or the
    hub) or "package" (an installed one); None takes timm's cache, a package or the hub, the first that is there. A
    model folder (`kit.models.model_folder`), or "owner/name" of one on the hub, gives the whole network its weights."""
    input_scale: float | None = None
    """Resize images by this factor before the encoder, to the nearest size it takes, so that a ViT has a finer token
    grid; logits keep the images' size. None leaves images as they are, whose sides must then fit the encoder."""
    widths: tuple[int, int, int, int] | None = None
    """Channels of the decoder's four levels, fine to coarse; None takes what `name` has."""
    selection: str = "frequency"
    """Lateral connections of the decoder: "frequency" (channels selected by the high, high and low band), "swapped"
    (by the low, low and high band) or "plain" (1x1 convolutions)."""
    d0: float = 10.0
    """Radius of the Gaussian low-pass, in frequency bins; inf passes everything as low."""
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
