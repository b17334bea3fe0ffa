"""Supervised training on the labelled images alone."""

from kit.losses.supervised import ohem_cross_entropy
from kit.methods.base import Build, Method, total
from kit.models.segmenter import Segmenter
from kit.settings.run import ModelConfig, SupervisedConfig
from kit.types import Batch, Progress, StepOutput, Views


class Supervised(Method):
    """Cross entropy, with hard pixels only if `ohem_min_kept` is set. Unlabelled images are never read."""

    views = Views(unlabelled=False)

    def __init__(self, cfg: SupervisedConfig, student: ModelConfig, build: Build):
        super().__init__()
        self.cfg = cfg
        self.student = build(student)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        logits = self.student(batch.images).logits
        sup = ohem_cross_entropy(logits, batch.masks, self.cfg.ohem_threshold, self.cfg.ohem_min_kept)
        return total({"sup": sup}, {"sup": 1.0})

    def predictor(self) -> Segmenter:
        return self.student
