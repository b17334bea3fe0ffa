"""Cross pseudo supervision (Chen, Yuan, Zeng, Wang; CVPR 2021, arXiv 2106.01226)."""

import torch

from kit.config import CPSConfig, ModelConfig
from kit.losses.pseudo import cross_pseudo
from kit.losses.supervised import ohem_cross_entropy
from kit.methods.base import Build, Method, total
from kit.models.segmenter import Segmenter
from kit.types import IGNORE, Batch, Progress, StepOutput


class CPS(Method):
    """Two copies of the student, differently initialised, label each other; the first is kept.

    `L = sup_a + sup_b + weight * (CE(a, argmax b) + CE(b, argmax a))` with the cross term on labelled and unlabelled
    images together (equations 2-4). Both networks get gradients from every term; pseudo labels carry none.

    Differences: the paper trains without CutMix in its main form, as here. Its code runs labelled and unlabelled
    images in separate passes; here they share one, so batch norm sees both.
    """

    def __init__(self, cfg: CPSConfig, student: ModelConfig, build: Build):
        super().__init__()
        self.cfg = cfg
        self.student, self.partner = build(student), build(student)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        cfg, n = self.cfg, len(batch.images)
        images = torch.cat([batch.images, batch.weak])
        a, b = self.student(images).logits, self.partner(images).logits  # (B + U, C, H, W)
        valid = torch.cat([batch.masks != IGNORE, batch.valid])
        parts = {
            "sup": ohem_cross_entropy(a[:n], batch.masks, cfg.ohem_threshold, cfg.ohem_min_kept),
            "sup_partner": ohem_cross_entropy(b[:n], batch.masks, cfg.ohem_threshold, cfg.ohem_min_kept),
            "cps": cross_pseudo([a, b], valid),
        }
        ramp = progress.ramp(cfg.ramp)
        return total(parts, {"sup": 1.0, "sup_partner": 1.0, "cps": ramp * cfg.cps_weight})

    def predictor(self) -> Segmenter:
        return self.student
