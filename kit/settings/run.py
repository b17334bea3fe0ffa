"""The full configuration of a run, as frozen objects that are checked once, on creation.

`RunConfig` is the whole configuration. Its parts are defined here, those of methods in `kit.settings.method` and
`kit.settings.baselines`, those of networks in `kit.settings.network`. `kit.settings.fields` converts them to
and from JSON, and changes single fields.
"""

import math
import typing
from dataclasses import dataclass, field
from typing import Literal

from kit.errors import KitError
from kit.settings.baselines import DistillConfig, FixMatchConfig, MeanTeacherConfig, MGDConfig, UniMatchConfig
from kit.settings.checks import AtLeastOne, Checked, NonNegative, Positive, Share, Whole
from kit.settings.method import CPSConfig, SupervisedConfig, TriKDConfig
from kit.settings.network import ModelConfig

MethodConfig = (
    SupervisedConfig | MeanTeacherConfig | CPSConfig | FixMatchConfig | UniMatchConfig | DistillConfig
    | TriKDConfig | MGDConfig
)  # fmt: skip
"""Settings of any method."""

METHOD_CONFIGS = {cls.name: cls for cls in typing.get_args(MethodConfig)}
"""Method name -> its settings. The methods' classes are in `kit.methods.build.METHODS`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig(Checked):
    """Source of the images, and their preprocessing."""

    WHERE = "data."
    dataset: str = "synthetic"
    """A key of `kit.data.catalog.DATASETS`, or "folder" for your own images."""
    root: str = "data/synthetic"
    """Folder of the data set."""
    split: str = "1_16"
    """Which training images count as labelled: "1_N" or "count_N" (a share or number of those with masks, drawn by
    hash), "1_N_by_sequence" or "count_N_by_sequence" (for videos: spread over sequences and time), "all" or "masks"
    (every image with a mask), or a folder with labelled.txt and unlabelled.txt, which `python -m kit splits` draws, or
    imports from published lists under their published names."""
    split_seed: int = 0
    """Seed of a drawn split; separate from the run's seed, so that runs can share one split."""
    extra: bool = False
    """Also use images beyond the protocol (Cityscapes' trainextra, VOC's other photographs) as unlabelled ones."""
    pool: Literal["unlabelled", "labelled"] = "unlabelled"
    """Images that a method uses without their masks: the split's "unlabelled" ones, or the "labelled" ones again. The
    latter is a control: what it gains comes from the method's views and pasting, not from more images."""
    base_size: tuple[AtLeastOne, AtLeastOne] | None = None
    """(height, width) to which images are resized when read; None keeps theirs. Evaluation compares at full size."""
    keep_aspect: bool = False
    """Resize each image so that its shorter side is the shorter one of `base_size`, and keep its aspect ratio:
    upright and sideways photographs get the same resolution. False stretches every image to `base_size`."""
    crop: tuple[AtLeastOne, AtLeastOne] = (512, 512)
    """(height, width) of a training crop, in pixels after scaling."""
    scale: tuple[float, float] = (0.5, 2.0)
    """Range from which the scale of a crop is drawn uniformly."""
    discrete_scales: tuple[Positive, ...] = ()
    """Draw the scale of a crop uniformly from these instead; official for MGD: 0.5, 0.75, 1, 1.5, 1.75, 2."""
    jitter: NonNegative = 0.0
    """Strength of colour changes on labelled and weak images; 0 is none, as in both papers."""
    labelled: int = 2
    """Labelled images per step, over all processes and micro-steps."""
    unlabelled: int = 2
    """Unlabelled images per step, over all processes and micro-steps."""
    workers: Whole = 0
    """Loader processes per training process; 0 reads in the training process."""
    cache: bool = False
    """Keep decoded images and masks on disk, below `cache_dir`, and map them into memory: nothing is decoded twice, by
    this run or a later one. Costs 3 bytes per pixel of an image, 1 per pixel of a mask (Cityscapes: 25 GB)."""
    cache_dir: str = "data/cache"
    """Folder of the cache, relative to the project's; shared by all runs. Its content may be deleted at any time."""
    observe: bool = False
    """Read the masks of unlabelled images, if there are any, to log the accuracy of pseudo labels; no method learns
    from them."""

    def __post_init__(self):
        Checked.__post_init__(self)
        for name in ("labelled", "unlabelled"):
            if getattr(self, name) < 1:
                raise KitError(f"data.{name} must be 1 or more, got {getattr(self, name)}")
        if len(self.crop) != 2 or (self.base_size and len(self.base_size) != 2):
            raise KitError(f"data.crop and data.base_size are (height, width), got {self.crop} and {self.base_size}")
        if len(self.scale) != 2 or not 0 < self.scale[0] <= self.scale[1] < math.inf:
            raise KitError(f"data.scale must be (low, high) with 0 < low <= high, both finite, got {self.scale}")


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimConfig(Checked):
    """One optimiser and one schedule for every network of a run."""

    WHERE = "optim."
    name: Literal["sgd", "adamw"] = "sgd"
    """ "sgd" (momentum 0.9, as published) or "adamw" (for training from scratch)."""
    lr: Positive = 0.005
    """Base learning rate; at each step it is multiplied by (1 - step/steps) ** power. It applies to a whole step, so it
    does not depend on the number of processes and micro-steps; scale it in proportion to `data.labelled`."""
    lag: Whole = 0
    """Delay of the learning rate in steps; official for TriKD: 1, because its code sets the rate after the step."""
    constant: tuple[str, ...] = ()
    """Networks of the method whose rate stays at `lr` throughout; official for TriKD: "vit"."""
    weight_decay: NonNegative = 1e-4
    """Weight decay of the optimiser."""
    decay_all: bool = False
    """Apply `weight_decay` to biases and normalisation layers too; official for TriKD: True."""
    encoder_lr: NonNegative = 1.0
    """Multiplier on the rate of pretrained layers; 0 freezes them, batch norm included, and saves their backward
    pass."""
    layer_decay: Positive = 1.0
    """Factor on the rate from one pretrained layer (a stage, a block of a ViT) to the layer before it; the last layer
    has `encoder_lr`. 1 gives all layers the same rate."""
    decoder_lr: NonNegative = 1.0
    """Multiplier on the rate of everything else: decoders, classifiers, and layers of an encoder that are new (the neck
    of a ViT, the blocks of a hybrid)."""
    power: NonNegative = 0.9
    """Exponent of the polynomial schedule."""
    warmup: Whole = 0
    """Steps over which the rate rises linearly from 0."""
    clip: NonNegative = 0.0
    """Largest norm of the gradient; 0 does not clip."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig(Checked):
    """Length of training, logs, checkpoints, processes and precision."""

    WHERE = "train."
    steps: AtLeastOne = 1000
    """Updates of the student."""
    log_every: AtLeastOne = 20
    """Steps between lines of log.jsonl (means over these steps)."""
    eval_every: Whole = 0
    """Steps between evaluations during training; 0 evaluates only at the end."""
    checkpoint_every: AtLeastOne = 200
    """Steps between checkpoints, from which a killed run resumes."""
    ema_decay: Share = 0.99
    """Decay of the running average of the student's weights (smaller in the first steps)."""
    processes: AtLeastOne = 1
    """Processes that share each step, one per GPU; a run refuses to start with any other number."""
    accumulate: AtLeastOne = 1
    """Micro-steps whose gradients add up to one step. Each sees its share of the step's images, which needs less
    memory. Batch norm sees one micro-step, and the loss is the mean over micro-steps."""
    skip_nonfinite: Whole = 0
    """Number of steps with a nan or infinite loss that may be skipped, without changing any weight."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """ "fp32", "bf16", "fp16" (with a scaled loss, on CUDA GPUs), or "auto": bf16 on GPUs and CPUs that have it
    (AVX512_BF16 or AMX), fp16 on other CUDA GPUs, else fp32. A resumed run keeps the precision it started with."""
    deterministic: bool = False
    """Compute the same bits every time on GPUs too, as far as torch can (`kit.train.resume.deterministic`), which is
    slower. CPUs always do."""
    channels_last: bool = False
    """Use channels-last memory format for filters and maps, which is faster for convolutions on many machines."""
    compile: bool = False
    """Compile every network with `torch.compile`: slow first steps, faster ones after."""
    keep_views: bool = False
    """Keep the networks that are trained beside the student too (TriKD's CNN and ViT, CPS's partner), for later
    inspection; those of the published settings take 0.5 GB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalConfig(Checked):
    """Evaluation of a network on the val part: the protocol, the scores at the end of a run, and the speed."""

    WHERE = "evaluate."
    mode: Literal["whole", "slide"] = "whole"
    """ "whole" images, or "slide": windows over each image, flush with its edges, whose scores are averaged."""
    window: tuple[AtLeastOne, AtLeastOne] | None = None
    """(height, width) of a window in pixels of the evaluated image; required by "slide"."""
    stride: tuple[AtLeastOne, AtLeastOne] | None = None
    """(height, width) from one window to the next, at most the window's; None is two thirds of it, rounded up."""
    flip: bool = False
    """Also predict on the mirrored image, and average."""
    scales: tuple[Positive, ...] = (1.0,)
    """Factors by which each image is resized; scores are averaged over them."""
    combine: Literal["probabilities", "logits"] = "probabilities"
    """Scores that are averaged over windows, scales and mirrored images: "probabilities", or (official for TriKD and
    MGD) "logits"."""
    pad: Literal["end", "centre"] = "end"
    """Padding of an image smaller than a window: at the right and lower "end", or (official for MGD) on all sides, with
    the image in the "centre"."""
    batch: AtLeastOne = 4
    """Images of equal size predicted together."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """ "fp32" or "bf16", which is faster and changes a few pixels. Part of the protocol, so it has no "auto"."""
    windows: Whole = 0
    """Windows predicted together; 0 is 8 on an accelerator and 1 on a CPU, where more bring no speed."""
    limit: Whole = 0
    """Evaluate only the first `limit` val images; 0 is all. Recorded in the result."""
    bins: AtLeastOne = 15
    """Number of bins of the confidence, of equal width, for the expected calibration error."""
    boundary: Positive = 0.02
    """Width of the band along borders in the boundary IoU, as a share of the image's diagonal."""
    resamples: AtLeastOne = 1000
    """Draws of the bootstrap over images, for intervals of 95 %."""

    def __post_init__(self):
        Checked.__post_init__(self)
        if self.mode == "slide" and self.window is None:
            raise KitError("evaluate.mode 'slide' needs evaluate.window (height, width), usually that of data.crop")
        if self.mode == "whole" and (self.window or self.stride or self.pad != "end"):
            raise KitError("evaluate.window, evaluate.stride and evaluate.pad belong to evaluate.mode 'slide'")
        if self.stride and any(step > side for step, side in zip(self.stride, self.window, strict=True)):
            raise KitError(f"evaluate.stride {self.stride} leaves gaps between windows of {self.window}")
        if not self.scales or len(set(self.scales)) < len(self.scales):
            raise KitError(f"evaluate.scales must be one or more different factors, got {self.scales}")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig(Checked):
    """One run: a method with its networks, data, optimiser and length."""

    recipe: str = "custom"
    """Name of the recipe this started from (`kit.settings.recipes.RECIPES`)."""
    method: MethodConfig = field(default_factory=SupervisedConfig)
    """Settings of the method, one of `METHOD_CONFIGS`."""
    student: ModelConfig = field(default_factory=ModelConfig)
    """The network that is kept."""
    pretrained: bool = True
    """Start every encoder from timm's pretrained weights; False starts from random ones."""
    start: str = ""
    """Finished run or model folder whose student's last weights, with decoder and classifier, initialise this student,
    for example one trained on fewer labels; empty: as `pretrained` says."""
    data: DataConfig = field(default_factory=DataConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    evaluate: EvalConfig = field(default_factory=EvalConfig)
    seed: Whole = 0
    """Seed of initial weights, order of images, augmentation and dropout."""
    run_dir: str = "runs/latest"
    """Folder of the run; it is created, and continued if it holds the same run."""

    def __post_init__(self):
        Checked.__post_init__(self)
        if not self.run_dir.strip():
            raise KitError("run_dir is empty; name a folder")
