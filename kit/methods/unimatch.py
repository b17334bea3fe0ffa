"""UniMatch (Yang, Qi, Feng, Zhang, Shi; CVPR 2023, arXiv 2208.09910)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from kit.losses.confidence import believe, confident_cross_entropy
from kit.losses.pseudo import pseudo_labels
from kit.losses.pseudo_label_counts import pseudo_counts
from kit.methods.fixmatch import StrongViews
from kit.types import IGNORE, Batch, Progress, StepOutput, Views


class UniMatch(StrongViews):
    """FixMatch with two strong views of each crop, and a third whose encoder maps lose half of their channels.

    `L = (sup + ramp * (0.25 * strong_1 + 0.25 * strong_2 + 0.5 * feature)) / 2` (equation 6 with its weights)

    | term | images | what | gradient reaches |
    | --- | --- | --- | --- |
    | sup | labelled | cross entropy | student |
    | strong_1, strong_2 | strong views after CutMix, boxes drawn apart | as FixMatch's strong | student |
    | feature | weak views, encoder maps with dropped channels | cross entropy where sure, not mixed | student |

    Both strong views share a pass. Differences from the public code: those of FixMatch (`partner_pass`, and the partner
    from the same batch); and labelled images are not decoded a second time with dropped channels (`feature_images`).
    There the decoder has two input maps; here all input maps of the student's decoder lose channels. Labels from a
    running average (`labels_from`) follow UniMatch V2; the student still runs on the weak views, for the view with
    dropped channels.
    """

    views = Views(strong=2)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        cfg, n = self.cfg, len(batch.images)
        belief, pasted = self.averaged(batch), self.pasted(batch)
        logits, feature = self.decode_twice(torch.cat([batch.images, batch.weak]), n)
        if belief is None:
            belief = believe(logits[n:])
        views = self.mixed(batch, belief, pasted, progress.rng)
        strong = self.student(torch.cat([view.batch.weak for view in views])).logits.chunk(2)
        sure = self.thresholds.sure(belief)
        self.thresholds.update(belief, batch.valid)
        terms = self.terms(progress, {"sup": cfg.sup_weight}, {"feature": cfg.feature_weight,
                           "strong_1": cfg.strong_weight, "strong_2": cfg.strong_weight})  # fmt: skip
        terms.add("sup", self.supervised(logits[:n], batch.masks))
        terms.add("feature", confident_cross_entropy(feature, belief.labels, sure, batch.valid))
        for i, view in enumerate(views):
            terms.add(f"strong_{i + 1}", view.loss(strong[i]))
        terms.count(pseudo_counts(belief.labels.masked_fill(~batch.valid, IGNORE), batch.masks, logits.shape[1],
                                  sure=sure, second=pseudo_labels(feature, batch.valid),
                                  hidden=batch.hidden))  # fmt: skip
        return terms.output()

    def decode_twice(self, images: Tensor, labelled: int) -> tuple[Tensor, Tensor]:
        """Logits of all images, and logits of the unlabelled ones decoded from maps with dropped channels."""
        size, count = images.shape[-2:], len(images)
        first = labelled if self.cfg.feature_images == "unlabelled" else 0
        maps = self.student.encode(images).maps
        dropped = [F.dropout2d(x[first:], self.cfg.feature_dropout, self.training) for x in maps]
        both = self.student.decode([torch.cat(pair) for pair in zip(maps, dropped, strict=True)], size)
        return both[:count], both[count + labelled - first :]
