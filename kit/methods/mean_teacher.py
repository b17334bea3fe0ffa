"""Mean teacher (Tarvainen, Valpola; NeurIPS 2017, arXiv 1703.01780), on pixels as in French et al. (BMVC 2020)."""

import numpy as np
import torch
from torch import Tensor

from kit.losses.confidence import probability_mse
from kit.losses.pseudo import pseudo_labels
from kit.losses.pseudo_label_counts import pseudo_counts
from kit.losses.supervised import ohem_cross_entropy
from kit.methods.base import Build, Method, total
from kit.methods.cutmix import Paste, class_paste, french_cutmix
from kit.models.followers import Averaged
from kit.models.segmenter import Segmenter
from kit.settings.run import MeanTeacherConfig, ModelConfig
from kit.types import IGNORE, Batch, Progress, StepOutput, Views


class MeanTeacher(Method):
    """The student should predict what a running average of its own weights predicts; the student is kept, and the
    loop's own average beside it.

    `L = sup + w * ramp * consistency`

    | term | images | what | gradient reaches |
    | --- | --- | --- | --- |
    | sup | labelled | cross entropy | student |
    | consistency | all, where not padded | MSE of probabilities to the teacher's on the weak view | student |

    Differences: the paper's noise is that of augmentation and dropout; here the student sees a strong view of
    unlabelled images, and with `cutmix` boxes of others (French et al.). The public code for segmentation (in
    TorchSemiSeg) shows both networks the same crops (`view`), weighs padding like content, keeps its teacher in train
    mode and lets it start as a copy of the student after one step; here the teacher is in eval mode always. Its MSE is
    a mean over classes, here a sum, so that its size does not follow their number.
    """

    def __init__(self, cfg: MeanTeacherConfig, student: ModelConfig, build: Build):
        super().__init__()
        self.cfg = cfg
        self.views = self.views_of(cfg)
        self.student = build(student)
        self.teacher = Averaged(self.student, cfg.ema_decay)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        cfg, n = self.cfg, len(batch.images)
        seen, valid, hidden = batch.strong[:, 0] if cfg.view == "strong" else batch.weak, batch.valid, batch.hidden
        with torch.no_grad():
            wanted, wanted_u = self.teacher(torch.cat([batch.images, batch.weak])).logits.split([n, len(batch.weak)])
        for paste in self.pastes(cfg, batch.weak, progress.rng):
            seen, valid, hidden, wanted_u = paste(seen), paste(valid), paste(hidden), paste(wanted_u)
        if cfg.class_paste != "none":
            over = class_paste(batch, wanted.shape[1], cfg.class_paste, progress.rng)
            seen, valid, hidden = over.view(seen, valid, hidden)
            wanted_u = over.logits(wanted_u)
        logits = self.student(torch.cat([batch.images, seen])).logits  # (B + U, C, H, W)
        everywhere = torch.cat([batch.masks != IGNORE, valid])
        parts = {
            "sup": ohem_cross_entropy(logits[:n], batch.masks, cfg.ohem_threshold, cfg.ohem_min_kept),
            "consistency": probability_mse(logits, torch.cat([wanted, wanted_u]), everywhere),
        }
        stats = pseudo_counts(pseudo_labels(wanted_u, valid), batch.masks, logits.shape[1],
                              second=pseudo_labels(logits[n:], valid), hidden=hidden)  # fmt: skip
        ramp = progress.ramp(cfg.ramp)
        return total(parts, {"sup": cfg.sup_weight, "consistency": ramp * cfg.consistency_weight}, stats)

    def after_step(self, progress: Progress) -> None:
        self.teacher.update(self.student, progress.step)

    @classmethod
    def views_of(cls, cfg: MeanTeacherConfig) -> Views:
        return Views(strong=int(cfg.view == "strong"))

    @staticmethod
    def pastes(cfg: MeanTeacherConfig, weak: Tensor, rng: np.random.Generator) -> list[Paste]:
        return [french_cutmix(weak, rng)] if cfg.cutmix else []

    def predictor(self) -> Segmenter:
        return self.student
