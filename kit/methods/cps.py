"""Cross pseudo supervision (Chen, Yuan, Zeng, Wang; CVPR 2021, arXiv 2106.01226)."""

import numpy as np
import torch
from torch import Tensor

from kit.losses.granularity import pixel_labels
from kit.losses.pseudo import cross_pseudo, pseudo_labels
from kit.losses.pseudo_label_counts import pseudo_counts
from kit.methods.base import Build, Method, see
from kit.methods.unlabelled.cutmix import Paste, french_cutmix
from kit.models.segmenter import Segmenter
from kit.settings.run import CPSConfig, ModelConfig
from kit.system.precision import no_gradient
from kit.types import IGNORE, Batch, Progress, StepOutput


class CPS(Method):
    """Two copies of the student with different initial weights label images for each other; the first one is kept.

    `L = sup + sup_partner + w * ramp * (CE(a, argmax b) + CE(b, argmax a))` (equations 2-4)

    | term | images | what | gradient reaches |
    | --- | --- | --- | --- |
    | sup, sup_partner | labelled | cross entropy | student; partner |
    | cps | all, without padding and void | each against the other's argmax | both |
    | cps with `cutmix` | mixed unlabelled | each against the other's mixed argmax of the unmixed images | both |

    With CutMix the cross term is computed on mixed unlabelled images only, here as in the paper's code. Differences of
    that code: images come from two loaders (`partner`); boxes cancel where they overlap (`overlap`); labelled and
    unlabelled images take separate passes (`passes`), with CutMix the mixed images before the labelled ones and each
    half of the unlabelled images by itself; padding of unlabelled crops counts like content.
    """

    def __init__(self, cfg: CPSConfig, student: ModelConfig, build: Build):
        super().__init__(cfg, student, build)
        self.partner = build(student)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        cfg, nets = self.cfg, (self.student, self.partner)
        if cfg.cutmix:
            (mix,) = self.mixes(cfg, batch, self.student.num_classes, progress.rng)
            with no_gradient():
                targets = [mix.labels(pseudo_labels(self.unmixed(net, batch.weak), batch.valid)) for net in nets]
            batch = mix.seen(batch, batch.weak)
        (sup_a, a), (sup_b, b) = (
            [out.logits for out in see(net, [batch.images, batch.weak], cfg.passes, last_first=cfg.cutmix)]
            for net in nets
        )  # (B, C, H, W) and (M, C, H, W) of each network
        if cfg.cutmix:
            cps = pixel_labels(a, [targets[1]], batch.valid) + pixel_labels(b, [targets[0]], batch.valid)
        else:
            targets = [pseudo_labels(a, batch.valid), pseudo_labels(b, batch.valid)]
            everywhere = torch.cat([batch.masks != IGNORE, batch.valid])
            cps = cross_pseudo([torch.cat([sup_a, a]), torch.cat([sup_b, b])], everywhere)
        terms = self.terms(progress, {"sup": 1.0, "sup_partner": 1.0}, {"cps": cfg.cps_weight})
        terms.add("sup", self.supervised(sup_a, batch.masks))
        terms.add("sup_partner", self.supervised(sup_b, batch.masks))
        terms.add("cps", cps)
        terms.count(pseudo_counts(targets[1], batch.masks, a.shape[1], second=targets[0], hidden=batch.hidden))
        return terms.output()

    def unmixed(self, net: Segmenter, images: Tensor) -> Tensor:
        """Logits (U, C, H, W) of the images before mixing."""
        apart = self.cfg.passes == "separate" and self.cfg.partner == "halves"
        groups = list(images.chunk(2)) if apart else [images]
        return torch.cat([out.logits for out in see(net, groups, self.cfg.passes)])

    @classmethod
    def pastes(cls, cfg: CPSConfig, weak: Tensor, rng: np.random.Generator) -> list[Paste]:
        return [french_cutmix(weak, rng, cfg.overlap, cfg.partner)] if cfg.cutmix else []
