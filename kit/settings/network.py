"""Settings of one network, student or teacher."""

import math
from dataclasses import dataclass
from typing import Literal

from kit.settings.checks import AtLeastOne, Checked, Positive, Share, require_positive


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig(Checked):
    """One segmentation network. "Official" marks the setting of TriKD's code where the kit's default differs; for a
    DeepLabv3+, that of MGD's code."""

    name: str = "tinyvit_21m"
    """A key of `kit.models.build.MODELS`; or any network of timm: "timm/NAME" with the dual-frequency UPer decoder,
    "hybrid/NAME" with transformer blocks between NAME and that decoder, "deeplab/NAME" with DeepLabv3+'s decoder."""
    weights: str | None = None
    """Where pretrained weights come from (`kit.models.encoders.pretrained`): a local file, "hub" (timm's cache or the
    hub) or "package" (an installed one); None takes the first available of timm's cache, a package and the hub.
    A model folder (`kit.models.model_folder`), or "owner/name" of one on the hub, gives the whole network its
    weights."""
    input_scale: Positive | None = None
    """Resize images by this factor before the encoder, to the nearest size it takes, so that a ViT has a finer token
    grid; logits keep the images' size. None keeps the images' size, which must then fit the encoder."""
    widths: tuple[AtLeastOne, AtLeastOne, AtLeastOne, AtLeastOne] | None = None
    """Channels of the decoder's four levels, fine to coarse; None takes what `name` has."""
    selection: Literal["frequency", "swapped", "plain"] = "frequency"
    """Lateral connections of the decoder: "frequency" (channels selected by the high, high and low band), "swapped"
    (by the low, low and high band) or "plain" (1x1 convolutions)."""
    d0: float = 10.0
    """Radius of the Gaussian low-pass, in frequency bins; inf passes everything as low."""
    d0_relative: bool = False
    """Read `d0` as bins at the published crop of 512 and let it grow and shrink with the image; official: False."""
    filter_centre: Literal["exact", "official"] = "exact"
    """Centre of the Gaussian: "exact" on the zero frequency, or "official", one bin beside it for even sizes."""
    frequency_path: Literal["auto", "matmul", "fft"] = "auto"
    """How maps are filtered: "matmul" (products with fixed matrices, no Fourier transform, exportable), "fft", or
    "auto", the faster one for the map's size. Results are the same up to rounding."""
    pyramid: Literal["deepest_coarse", "official"] = "deepest_coarse"
    """Order of a ViT's blocks in its pyramid: "deepest_coarse" (deepest at 1/32), or "official" (deepest at 1/4)."""
    grid: tuple[AtLeastOne, AtLeastOne] | None = None
    """Token grid (height, width) at which a ViT keeps its position embedding; None is the pretrained grid,
    official is the crop's. In either case it is resized for images of other sizes."""
    prefix_tokens: Literal["dropped", "kept"] | None = None
    """Class, distillation and register tokens of a ViT: "dropped" before the first block (as in TriKD) or "kept"
    through all blocks, as DINOv2 and DINOv3 were trained; None keeps them if there are register tokens."""
    stem_stride: Literal[16, 32] | None = None
    """Of a hybrid: stride at which its transformer blocks work, 16 or 32; None takes what `name` has."""
    blocks: AtLeastOne | None = None
    """Of a hybrid: number of transformer blocks; None takes what `name` has."""
    block_width: AtLeastOne | None = None
    """Of a hybrid: channels of a token, a multiple of 32; None takes what `name` has."""
    qk_norm: bool = False
    """In a hybrid's blocks: normalise queries and keys, which bounds the attention scores. Other networks ignore it, so
    that a recipe can set it for any student."""
    last_block: Literal["kept", "global"] = "kept"
    """Last block of a TinyViT: "kept" as pretrained, or "global" (official): attention over the whole map, without
    windows and without position bias."""
    head: Literal["smp", "official"] = "smp"
    """ASPP of a DeepLabv3+: "smp" (segmentation_models_pytorch's), or "official": leaky ReLUs, and a finest map with
    fewer than 48 channels keeps them all."""
    encoder: Literal["timm", "official"] = "timm"
    """Encoder of a DeepLabv3+: "timm" (timm's at output stride 16), or "official": last stage dilated by 2, 4, 8,
    ResNet-18 with plain shortcuts, MobileNetV2 at output stride 32."""
    dropout: Share = 0.1
    """Share of channels dropped before the classifier; official for a DeepLabv3+: 0."""
    classifier: Literal["torch", "kaiming"] = "torch"
    """Initial weights of a DeepLabv3+'s classifier: "torch" (torch's default, standard deviation 0.036), or (official)
    "kaiming" (normal, 0.088)."""
    recompute: bool = False
    """Compute activations inside the encoder's blocks again in the backward pass instead of keeping them: less memory
    at the cost of one more forward pass of the encoder, with the same result."""

    def __post_init__(self):
        Checked.__post_init__(self)
        if self.d0 != math.inf:
            require_positive(d0=self.d0)
