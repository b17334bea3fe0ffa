"""TriKD: triple-view knowledge distillation (Li, Chen, Yuan, Xu, Song; IEEE TMM 2025, arXiv 2309.12557)."""

import torch
from torch import nn

from kit.config import ModelConfig, TriKDConfig
from kit.errors import KitError
from kit.losses.distill import attention_kl, map_mse
from kit.losses.pseudo import cross_pseudo
from kit.losses.supervised import cross_entropy, ohem_cross_entropy
from kit.methods.base import Build, Method, total
from kit.models.segmenter import Segmenter
from kit.types import Batch, Progress, StepOutput


class TriKD(Method):
    """A small student, a convolutional network and a vision transformer learn together; the student is kept.

    | term | images | gradient reaches |
    | --- | --- | --- |
    | sup, sup_cnn (OHEM), sup_vit (plain cross entropy) | labelled | each its own network |
    | cps: six ordered pairs, each against another's argmax | unlabelled, where not padded | all three |
    | low: MSE of the student's finest map, through a 1x1 convolution, to the CNN's | all | student |
    | high: KL of the student's last attention, heads mapped by a 1x1 convolution, to the ViT's | all | student |

    Differences from the authors' code, which has: two passes (labelled, then unlabelled images; here one, so batch
    norm sees both together); padding of unlabelled crops taught as content (here left out of `cps`); the mean of the
    KL over every element of the table, resized as if flattened (here per query, on the grid; the weight says how);
    the student's last block without window and position bias (here only the scores are taken so, the block stays
    intact); a ViT neck turned upside down; a ViT rate that never decays. The paper names OHEM for all views; the
    authors' code, and this, take plain cross entropy for the ViT.
    """

    def __init__(self, cfg: TriKDConfig, student: ModelConfig, build: Build):
        super().__init__()
        self.cfg = cfg
        self.student, self.cnn, self.vit = build(student), build(cfg.cnn), build(cfg.vit)
        heads, vit_heads = self.student.encoder.heads, self.vit.encoder.heads
        if cfg.high_weight > 0 and not (heads and vit_heads):
            lacking = student.name if not heads else cfg.vit.name
            raise KitError(f"{lacking} has no attention; take a TinyViT or ViT, or set method.high_weight to 0")
        self.low = nn.Conv2d(self.student.encoder.channels[0], self.cnn.encoder.channels[0], 1)
        self.high = nn.Conv2d(heads, vit_heads, 1) if cfg.high_weight > 0 else None

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        cfg, n = self.cfg, len(batch.images)
        images = torch.cat([batch.images, batch.weak])
        attend = cfg.high_weight > 0
        student, cnn, vit = self.student(images, attend), self.cnn(images), self.vit(images, attend)
        parts = {
            "sup": ohem_cross_entropy(student.logits[:n], batch.masks, cfg.ohem_threshold, cfg.ohem_min_kept),
            "sup_cnn": ohem_cross_entropy(cnn.logits[:n], batch.masks, cfg.ohem_threshold, cfg.ohem_min_kept),
            "sup_vit": cross_entropy(vit.logits[:n], batch.masks),
        }
        weights = dict.fromkeys(parts, 1.0)
        ramp = progress.ramp(cfg.ramp)
        if cfg.cps_weight > 0:
            parts["cps"] = cross_pseudo([view.logits[n:] for view in (student, cnn, vit)], batch.valid)
            weights["cps"] = ramp * cfg.cps_weight
        if cfg.low_weight > 0:
            parts["low"] = map_mse(self.low(student.maps[0]), cnn.maps[0])
            weights["low"] = ramp * cfg.low_weight
        if attend:
            scores = student.scores  # (B + U, heads, h, w, h, w); the 1x1 convolution wants four dimensions
            mapped = self.high(scores.flatten(2, 3).flatten(3)).unflatten(3, scores.shape[4:])
            parts["high"] = attention_kl(mapped.unflatten(2, scores.shape[2:4]), vit.scores)
            weights["high"] = ramp * cfg.high_weight
        return total(parts, weights)

    def predictor(self) -> Segmenter:
        return self.student
