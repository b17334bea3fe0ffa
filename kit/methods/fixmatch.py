"""FixMatch (Sohn et al.; NeurIPS 2020, arXiv 2001.07685), on pixels as the baseline of Yang et al. (CVPR 2023)."""

import numpy as np
import torch
from torch import Tensor

from kit.losses.confidence import Belief, believe, confident_cross_entropy
from kit.losses.pseudo import pseudo_labels
from kit.losses.pseudo_label_counts import pseudo_counts
from kit.losses.supervised import ohem_cross_entropy
from kit.methods.base import Build, Method, in_eval_mode, total
from kit.methods.cutmix import Mixed, Paste, single_cutmix
from kit.methods.thresholds import ClassThresholds
from kit.models.followers import Averaged
from kit.models.segmenter import Segmenter
from kit.settings.run import FixMatchConfig, ModelConfig
from kit.types import IGNORE, Batch, Progress, StepOutput, Views


class FixMatch(Method):
    """What the network is sure of on a weak view is the label of a strong view of the same crop.

    `L = (sup + ramp * strong) / 2`, with a threshold on the probability of the most likely class: 0.95, and 0 on
    Cityscapes.

    | term | images | what | gradient reaches |
    | --- | --- | --- | --- |
    | sup | labelled | cross entropy | student |
    | strong | strong views after CutMix | cross entropy where sure, a mean over all that is not padded | student |

    Labels, confidences and valid maps are mixed like the images. Labelled and weak images share a pass, strong ones
    have their own, as in the public code. It differs in these: what is pasted comes from a second loader (which may
    deal the same image twice; here it is another image of the batch), and its labels from a pass in eval mode
    (`partner_pass`). Boxes of crops that are not square have their ratio in shares of the sides.

    Switches of later work: labels of a running average in eval mode, with which labelled and strong images share the
    only pass (`labels_from`), a threshold for each class (`class_share`), and classes cut out of labelled images pasted
    over the strong views (`class_paste`).
    """

    views = Views(strong=1)

    def __init__(self, cfg: FixMatchConfig, student: ModelConfig, build: Build):
        super().__init__()
        self.cfg = cfg
        self.student = build(student)
        self.average = Averaged(self.student, cfg.label_decay) if cfg.labels_from == "average" else None
        self.thresholds = ClassThresholds(self.student.num_classes, cfg.class_share, cfg.threshold)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        cfg, n = self.cfg, len(batch.images)
        if self.average is None:
            pasted = None
            if cfg.partner_pass == "eval":
                pasted = believe(in_eval_mode(self.student, batch.weak).logits)
            logits = self.student(torch.cat([batch.images, batch.weak])).logits  # (B + U, C, H, W)
            belief = believe(logits[n:])
            logits = logits[:n]
            seen = self.mixed(batch, belief, pasted, progress.rng)
            strong = self.student(seen.images).logits
        else:
            belief = believe(self.average(batch.weak).logits)
            seen = self.mixed(batch, belief, None, progress.rng)
            logits, strong = self.student(torch.cat([batch.images, seen.images])).logits.split([n, len(batch.weak)])
        self.thresholds.update(belief, batch.valid)
        parts = {
            "sup": ohem_cross_entropy(logits, batch.masks, cfg.ohem_threshold, cfg.ohem_min_kept),
            "strong": confident_cross_entropy(strong, seen.labels, seen.sure, seen.valid),
        }
        stats = pseudo_counts(seen.labels.masked_fill(~seen.valid, IGNORE), batch.masks, logits.shape[1],
                              sure=seen.sure, second=pseudo_labels(strong, seen.valid), hidden=seen.hidden)  # fmt: skip
        return total(parts, {"sup": cfg.sup_weight, "strong": progress.ramp(cfg.ramp) * cfg.strong_weight}, stats)

    def mixed(self, batch: Batch, belief: Belief, pasted: Belief | None, rng: np.random.Generator) -> Mixed:
        """Strong views after CutMix, and what is to be learnt of them."""
        (paste,) = self.pastes(self.cfg, batch.weak, rng)
        labels, confidence = (paste(*pair) for pair in zip(belief, pasted or belief, strict=True))
        mixed = Mixed(paste(batch.strong[:, 0]), labels, self.thresholds.sure(Belief(labels, confidence)),
                      paste(batch.valid), paste(batch.hidden))  # fmt: skip
        return mixed.covered(batch, self.student.num_classes, self.cfg.class_paste, rng)

    def after_step(self, progress: Progress) -> None:
        if self.average is not None:
            self.average.update(self.student, progress.step)

    @staticmethod
    def pastes(cfg: FixMatchConfig, weak: Tensor, rng: np.random.Generator) -> list[Paste]:
        return [single_cutmix(weak, rng, cfg.cutmix)]

    def predictor(self) -> Segmenter:
        return self.student
