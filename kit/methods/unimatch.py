"""UniMatch (Yang, Qi, Feng, Zhang, Shi; CVPR 2023, arXiv 2208.09910)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kit.losses.confidence import believe, confident_cross_entropy
from kit.losses.pseudo import pseudo_labels
from kit.losses.pseudo_label_counts import pseudo_counts
from kit.losses.supervised import ohem_cross_entropy
from kit.methods.base import Build, Method, in_eval_mode, total
from kit.methods.cutmix import Paste, single_cutmix
from kit.models.segmenter import Segmenter
from kit.settings.run import ModelConfig, UniMatchConfig
from kit.types import IGNORE, Batch, Progress, StepOutput, Views


class UniMatch(Method):
    """FixMatch with two strong views of each crop, and a third whose encoder maps lose half of their channels.

    `L = (sup + ramp * (0.25 * strong_1 + 0.25 * strong_2 + 0.5 * feature)) / 2` (equation 6 with its weights)

    | term | images | what | gradient reaches |
    | --- | --- | --- | --- |
    | sup | labelled | cross entropy | student |
    | strong_1, strong_2 | strong views after CutMix, boxes drawn apart | as FixMatch's strong | student |
    | feature | weak views, encoder maps with dropped channels | cross entropy where sure, not mixed | student |

    Both strong views share a pass. It differs from the public code in what FixMatch does (`partner_pass`, and the
    partner from the same batch), and decodes labelled images without their dropped channels once only
    (`feature_images`). There the decoder sees two maps; here all that the student's decoder has lose channels.
    """

    views = Views(strong=2)

    def __init__(self, cfg: UniMatchConfig, student: ModelConfig, build: Build):
        super().__init__()
        self.cfg = cfg
        self.student = build(student)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        cfg, n = self.cfg, len(batch.images)
        pasted = None
        if cfg.partner_pass == "eval":
            pasted = believe(in_eval_mode(self.student, batch.weak).logits)
        logits, feature = self.decode_twice(torch.cat([batch.images, batch.weak]), n)
        belief = believe(logits[n:])

        pastes = self.pastes(cfg, batch.weak, progress.rng)
        views = torch.cat([paste(batch.strong[:, i]) for i, paste in enumerate(pastes)])
        strong = self.student(views).logits.chunk(2)
        sure = belief.confidence >= cfg.threshold
        parts = {
            "sup": ohem_cross_entropy(logits[:n], batch.masks, cfg.ohem_threshold, cfg.ohem_min_kept),
            "feature": confident_cross_entropy(feature, belief.labels, sure, batch.valid),
        }
        for i, paste in enumerate(pastes):
            labels, confidence = (paste(*pair) for pair in zip(belief, pasted or belief, strict=True))
            taken = confidence >= cfg.threshold
            parts[f"strong_{i + 1}"] = confident_cross_entropy(strong[i], labels, taken, paste(batch.valid))
        stats = pseudo_counts(belief.labels.masked_fill(~batch.valid, IGNORE), batch.masks, logits.shape[1], sure=sure,
                              second=pseudo_labels(feature, batch.valid), hidden=batch.hidden)  # fmt: skip
        ramp = progress.ramp(cfg.ramp)
        weights = {"sup": cfg.sup_weight, "feature": ramp * cfg.feature_weight,
                   "strong_1": ramp * cfg.strong_weight, "strong_2": ramp * cfg.strong_weight}  # fmt: skip
        return total(parts, weights, stats)

    def decode_twice(self, images: Tensor, labelled: int) -> tuple[Tensor, Tensor]:
        """Logits of all images, and of the unlabelled ones after channels of their maps were dropped."""
        size, count = images.shape[-2:], len(images)
        first = labelled if self.cfg.feature_images == "unlabelled" else 0
        maps = self.student.encode(images).maps
        dropped = [F.dropout2d(x[first:], self.cfg.feature_dropout, self.training) for x in maps]
        both = self.student.decode([torch.cat(pair) for pair in zip(maps, dropped, strict=True)], size)
        return both[:count], both[count + labelled - first :]

    @staticmethod
    def pastes(cfg: UniMatchConfig, weak: Tensor, rng: np.random.Generator) -> list[Paste]:
        return [single_cutmix(weak, rng, cfg.cutmix) for _ in range(2)]

    def predictor(self) -> Segmenter:
        return self.student
