"""FixMatch (Sohn et al.; NeurIPS 2020, arXiv 2001.07685), on pixels as the baseline of Yang et al. (CVPR 2023)."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kit.losses.confidence import Belief, believe, confident_cross_entropy
from kit.losses.pseudo import pseudo_labels
from kit.losses.pseudo_label_counts import pseudo_counts
from kit.methods.base import Build, Method
from kit.methods.unlabelled.cutmix import Paste, single_cutmix
from kit.methods.unlabelled.thresholds import ClassThresholds
from kit.models.followers import Averaged
from kit.settings.run import MethodConfig, ModelConfig
from kit.system.precision import no_gradient
from kit.types import IGNORE, Batch, Progress, StepOutput, Views


class Strong(NamedTuple):
    """A strong view as the student sees it, with its pseudo labels."""

    batch: Batch  # the step's, with this view as unlabelled images
    labels: Tensor  # (U, H, W) int64
    sure: Tensor  # (U, H, W) bool, True where the label is learnt

    def loss(self, logits: Tensor) -> Tensor:
        """Cross entropy of the student's logits (U, C, H, W) at sure labels."""
        return confident_cross_entropy(logits, self.labels, self.sure, self.batch.valid)


class StrongViews(Method):
    """The parts that FixMatch and UniMatch share: CutMix of strong views, with confident labels from weak views.

    Options from later work: labels from a running average in eval mode (`labels_from`), a threshold for each class
    (`class_share`), and classes cut out of labelled images pasted over the strong views (`class_paste`).
    """

    def __init__(self, cfg: MethodConfig, student: ModelConfig, build: Build):
        super().__init__(cfg, student, build)
        self.average = Averaged(self.student, cfg.label_decay) if cfg.labels_from == "average" else None
        self.thresholds = ClassThresholds(self.student.num_classes, cfg.class_share, cfg.threshold)

    def averaged(self, batch: Batch) -> Belief | None:
        """Labels of the weak views from the running average; None if the settings do not use one."""
        return None if self.average is None else believe(self.average(batch.weak).logits)

    def pasted(self, batch: Batch) -> Belief | None:
        """Labels of the pasted images from a separate pass in eval mode, or None. The student's mode is restored."""
        if self.cfg.partner_pass != "eval" or self.average is not None:
            return None
        training = self.student.training
        with no_gradient():
            logits = self.student.eval()(batch.weak).logits
        self.student.train(training)
        return believe(logits)

    def mixed(self, batch: Batch, belief: Belief, pasted: Belief | None, rng: np.random.Generator) -> list[Strong]:
        """The strong views after CutMix and `class_paste`. Labels come from `belief`, or inside pasted boxes from
        `pasted`, if given."""
        sure, partners = self.thresholds.sure(belief), (None, None)
        if pasted is not None:
            partners = pasted.labels, self.thresholds.sure(pasted)
        views = []
        for i, mix in enumerate(self.mixes(self.cfg, batch, self.student.num_classes, rng)):
            labels = mix.labels(belief.labels, partners[0])
            views.append(Strong(mix.seen(batch, batch.strong[:, i]), labels, mix.fill(sure, True, partners[1])))
        return views

    def after_step(self, progress: Progress) -> None:
        if self.average is not None:
            self.average.update(self.student, progress.step)

    @classmethod
    def pastes(cls, cfg: MethodConfig, weak: Tensor, rng: np.random.Generator) -> list[Paste]:
        return [single_cutmix(weak, rng, cfg.cutmix) for _ in range(cls.views.strong)]


class FixMatch(StrongViews):
    """Confident predictions on a weak view are the labels of a strong view of the same crop.

    `L = (sup + ramp * strong) / 2`, with a threshold on the probability of the most likely class: 0.95, but 0 on
    Cityscapes.

    | term | images | what | gradient reaches |
    | --- | --- | --- | --- |
    | sup | labelled | cross entropy | student |
    | strong | strong views after CutMix | cross entropy where sure, divided by all valid pixels | student |

    Labels, confidences and valid maps are mixed like the images. Labelled and weak images share a pass, strong images
    have their own, as in the public code. Differences: there, pasted images come from a second loader, which may
    return the same image twice (here: another image of the batch), and their labels from a pass in eval mode
    (`partner_pass`). In crops that are not square, a box's aspect ratio is relative to the crop's sides.

    With labels from a running average, the student makes one pass, over labelled and strong images together.
    """

    views = Views(strong=1)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        n, belief = len(batch.images), self.averaged(batch)
        if belief is None:
            pasted = self.pasted(batch)
            logits, weak = self.student(torch.cat([batch.images, batch.weak])).logits.tensor_split([n])
            belief = believe(weak)
            (seen,) = self.mixed(batch, belief, pasted, progress.rng)
            strong = self.student(seen.batch.weak).logits
        else:
            (seen,) = self.mixed(batch, belief, None, progress.rng)
            logits, strong = self.student(torch.cat([batch.images, seen.batch.weak])).logits.tensor_split([n])
        self.thresholds.update(belief, batch.valid)
        terms = self.terms(progress, {"sup": self.cfg.sup_weight}, {"strong": self.cfg.strong_weight})
        terms.add("sup", self.supervised(logits, batch.masks))
        terms.add("strong", seen.loss(strong))
        valid, hidden = seen.batch.valid, seen.batch.hidden
        terms.count(pseudo_counts(seen.labels.masked_fill(~valid, IGNORE), batch.masks, logits.shape[1],
                                  sure=seen.sure, second=pseudo_labels(strong, valid), hidden=hidden))  # fmt: skip
        return terms.output()
