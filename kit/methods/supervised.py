"""Supervised training on the labelled images alone."""

from kit.methods.base import Method
from kit.methods.terms import Terms
from kit.types import Batch, Progress, StepOutput, Views


class Supervised(Method):
    """Cross entropy, with hard pixels only if `ohem_min_kept` is set. Unlabelled images are never read."""

    views = Views(unlabelled=False)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        terms = Terms({"sup": 1.0}, self)
        terms.add("sup", self.supervised(self.student(batch.images).logits, batch.masks))
        return terms.output()
