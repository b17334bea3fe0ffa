"""Mean teacher (Tarvainen, Valpola; NeurIPS 2017, arXiv 1703.01780), on pixels as in French et al. (BMVC 2020)."""

import numpy as np
import torch
from torch import Tensor

from kit.losses.confidence import probability_mse
from kit.losses.pseudo import pseudo_labels
from kit.losses.pseudo_label_counts import pseudo_counts
from kit.methods.base import Build, Method
from kit.methods.unlabelled.cutmix import Paste, french_cutmix
from kit.models.followers import Averaged
from kit.settings.run import MeanTeacherConfig, ModelConfig
from kit.types import IGNORE, Batch, Progress, StepOutput, Views


class MeanTeacher(Method):
    """The student learns to predict what a running average of its own weights predicts. The student is kept, together
    with the training loop's own average.

    `L = sup + w * ramp * consistency`

    | term | images | what | gradient reaches |
    | --- | --- | --- | --- |
    | sup | labelled | cross entropy | student |
    | consistency | all, without padding and void | MSE of probabilities to the teacher's on the weak view | student |

    Differences: the paper's noise comes from augmentation and dropout; here the student sees a strong view of
    unlabelled images, and with `cutmix` boxes of other images (French et al.). The public code for segmentation (in
    TorchSemiSeg) shows both networks the same crops (`view`), counts padding like content, keeps its teacher in train
    mode and starts it as a copy of the student after one step; here the teacher is always in eval mode. Its MSE is a
    mean over classes; here it is a sum, so that its scale does not depend on the number of classes.
    """

    def __init__(self, cfg: MeanTeacherConfig, student: ModelConfig, build: Build):
        super().__init__(cfg, student, build)
        self.teacher = Averaged(self.student, cfg.ema_decay)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        cfg, n = self.cfg, len(batch.images)
        with torch.no_grad():
            wanted, wanted_u = self.teacher(torch.cat([batch.images, batch.weak])).logits.split([n, len(batch.weak)])
        (mix,) = self.mixes(cfg, batch, wanted.shape[1], progress.rng)
        wanted_u = mix.logits(wanted_u)
        batch = mix.seen(batch, batch.strong[:, 0] if cfg.view == "strong" else batch.weak)
        logits = self.student(torch.cat([batch.images, batch.weak])).logits  # (B + U, C, H, W)
        everywhere = torch.cat([batch.masks != IGNORE, batch.valid])
        terms = self.terms(progress, {"sup": cfg.sup_weight}, {"consistency": cfg.consistency_weight})
        terms.add("sup", self.supervised(logits[:n], batch.masks))
        terms.add("consistency", probability_mse(logits, torch.cat([wanted, wanted_u]), everywhere))
        terms.count(pseudo_counts(pseudo_labels(wanted_u, batch.valid), batch.masks, logits.shape[1],
                                  second=pseudo_labels(logits[n:], batch.valid), hidden=batch.hidden))  # fmt: skip
        return terms.output()

    def after_step(self, progress: Progress) -> None:
        self.teacher.update(self.student, progress.step)

    @classmethod
    def views_of(cls, cfg: MeanTeacherConfig) -> Views:
        return Views(strong=int(cfg.view == "strong"))

    @classmethod
    def pastes(cls, cfg: MeanTeacherConfig, weak: Tensor, rng: np.random.Generator) -> list[Paste]:
        return [french_cutmix(weak, rng)] if cfg.cutmix else []
