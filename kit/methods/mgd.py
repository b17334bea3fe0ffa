"""MGD: multi-granularity distillation (Qin, Wu, Li, Xiao, Zheng, Wang; ECCV 2022, arXiv 2208.10169)."""

import numpy as np
import torch
from torch import Tensor

from kit.losses.granularity import image_l1, pixel_labels, region_mse
from kit.losses.pseudo_label_counts import pseudo_counts
from kit.methods.base import Build, Method, see
from kit.methods.unlabelled.cutmix import Paste, french_cutmix
from kit.models.followers import Frozen
from kit.models.segmenter import Segmenter
from kit.settings.run import MGDConfig, ModelConfig
from kit.system.precision import no_gradient
from kit.types import IGNORE, Batch, Progress, StepOutput, Views


class MGD(Method):
    """A small student learns from two frozen teachers of complementary shape, one deep and one wide.

    `L = sup + ramp * (w_p * pixel + w_l * pixel_labelled + w_i * image + w_r * region)`

    | term | images | what | gradient reaches |
    | --- | --- | --- | --- |
    | sup | labelled | cross entropy | student |
    | pixel | mixed unlabelled | cross entropy against the mixed argmax of each teacher, summed over both | student |
    | pixel_labelled | labelled | the same against their argmax there | student |
    | image | mixed unlabelled | L1 between its logits averaged over the image and the deep teacher's | student |
    | region | mixed unlabelled | MSE between its self-similarity of 7 x 7 regions and the wide teacher's | student |

    Teachers label the images before mixing. For the last two terms they see the mixed images: there the deep teacher's
    classifier runs on one mean per image, and the wide teacher's is not needed. A term of weight 0 is not computed.

    The authors' step also computes losses of the teachers, and predictions of the student on images before mixing.
    Neither has a gradient, so both are left out (the predictions update batch norm averages: `unmixed_passes`). Known
    differences of their code, each a switch: sum instead of mean in the image term, boxes that cancel, a partner from a
    second loader, padding and unlabelled pixels taught as content, separate passes (mixed images before labelled ones),
    teachers in train mode.

    Options from later work: the student learns on strong views, from the teachers' labels of the weak crops
    (`unlabelled_view`), and with classes of labelled images pasted over them (`class_paste`).
    """

    teachers = ("deep", "wide")

    def __init__(self, cfg: MGDConfig, student: ModelConfig, build: Build, deep: Segmenter, wide: Segmenter):
        super().__init__(cfg, student, build)
        kind = {"official": True} if cfg.teacher_norm == "batch" else {"fused": cfg.fused}
        self.deep, self.wide = Frozen(deep, **kind), Frozen(wide, **kind)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        cfg = self.cfg
        (mix,) = self.mixes(cfg, batch, self.student.num_classes, progress.rng)
        weak = mix.images(batch.weak)  # the teachers' input
        mixed = weak if cfg.unlabelled_view == "weak" else mix.images(batch.strong[:, 0])
        valid, labelled = mix.fill(batch.valid, True), batch.masks != IGNORE
        seen = valid  # pixels that statistics count
        if cfg.padding == "taught":
            valid, labelled = torch.ones_like(valid), torch.ones_like(labelled)
        unmixed = list(batch.weak.chunk(2)) if cfg.partner == "halves" else [batch.weak]
        targets = [self.labels(teacher, [batch.images, *unmixed]) for teacher in (self.deep, self.wide)]
        on_mixed = [mix.labels(torch.cat(labels)) for _, *labels in targets]

        if cfg.unmixed_passes:
            with no_gradient():
                for images in unmixed:
                    self.student(images)
        # (B, C, H, W) and (M, C, H, W); separate passes take the mixed images first, as in the authors' code
        here, there = see(self.student, [batch.images, mixed], cfg.passes, last_first=True)
        weights = {name: getattr(cfg, f"{name}_weight") for name in ("pixel", "pixel_labelled", "image", "region")}
        terms = self.terms(progress, {"sup": cfg.sup_weight}, {name: w for name, w in weights.items() if w})
        terms.add("sup", self.supervised(here.logits, batch.masks))
        if "pixel" in terms:
            terms.add("pixel", pixel_labels(there.logits, on_mixed, valid))
        if "pixel_labelled" in terms:
            terms.add("pixel_labelled", pixel_labels(here.logits, [labels for labels, *_ in targets], labelled))
        if "image" in terms:
            means = self.deep.mean_logits(weak, None if cfg.padding == "taught" else valid)
            terms.add("image", image_l1(there.logits, means, valid, cfg.image_reduction))
        if "region" in terms:
            terms.add("region", region_mse(there.features, self.wide.features(weak), valid))
        first, second = (labels.masked_fill(~seen, IGNORE) for labels in on_mixed)
        terms.count(pseudo_counts(first, batch.masks, here.logits.shape[1], second=second,
                                  hidden=mix.fill(batch.hidden, IGNORE)))  # fmt: skip
        return terms.output()

    def labels(self, teacher: Frozen, groups: list[Tensor]) -> list[Tensor]:
        """Most likely classes, int64 (Bi, H, W), of several groups of images."""
        if self.cfg.passes == "separate":
            return [teacher.labels(images) for images in groups]
        return list(teacher.labels(torch.cat(groups)).split([len(images) for images in groups]))

    @classmethod
    def views_of(cls, cfg: MGDConfig) -> Views:
        return Views(strong=int(cfg.unlabelled_view == "strong"))

    @classmethod
    def pastes(cls, cfg: MGDConfig, weak: Tensor, rng: np.random.Generator) -> list[Paste]:
        return [french_cutmix(weak, rng, cfg.overlap, cfg.partner)]
