"""Plain logit distillation (Hinton, Vinyals, Dean; 2015, arXiv 1503.02531), pixel by pixel from MGD's teachers."""

import torch

from kit.losses.granularity import pixel_kl
from kit.losses.pseudo import pseudo_labels
from kit.losses.pseudo_label_counts import pseudo_counts
from kit.methods.base import Build, Method
from kit.models.followers import Frozen
from kit.models.segmenter import Segmenter
from kit.settings.run import DistillConfig, ModelConfig
from kit.types import IGNORE, Batch, Progress, StepOutput


class Distill(Method):
    """The student learns the class probabilities of two frozen teachers, on all images and without mixing.

    `L = sup + ramp * (w_deep * deep + w_wide * wide)`

    | term | images | what | gradient reaches |
    | --- | --- | --- | --- |
    | sup | labelled | cross entropy | student |
    | deep, wide | all, without padding and void | KL of each teacher to the student at every pixel | student |

    Differences: the paper classifies whole images; here each pixel is a sample, and the divergence a mean over pixels.
    """

    teachers = ("deep", "wide")

    def __init__(self, cfg: DistillConfig, student: ModelConfig, build: Build, deep: Segmenter, wide: Segmenter):
        super().__init__(cfg, student, build)
        self.deep, self.wide = Frozen(deep), Frozen(wide)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        cfg, n = self.cfg, len(batch.images)
        images = torch.cat([batch.images, batch.weak])
        deep, wide = self.deep(images).logits, self.wide(images).logits
        logits = self.student(images).logits  # (B + U, C, H, W)
        everywhere = torch.cat([batch.masks != IGNORE, batch.valid])
        terms = self.terms(progress, {"sup": cfg.sup_weight}, {"deep": cfg.deep_weight, "wide": cfg.wide_weight})
        terms.add("sup", self.supervised(logits[:n], batch.masks))
        terms.add("deep", pixel_kl(logits, deep, everywhere, cfg.temperature))
        terms.add("wide", pixel_kl(logits, wide, everywhere, cfg.temperature))
        labels = [pseudo_labels(teacher[n:], batch.valid) for teacher in (deep, wide)]
        terms.count(pseudo_counts(labels[0], batch.masks, logits.shape[1], second=labels[1], hidden=batch.hidden))
        return terms.output()
