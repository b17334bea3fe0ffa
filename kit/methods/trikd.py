"""TriKD: triple-view knowledge distillation (Li, Chen, Yuan, Xu, Song; IEEE TMM 2025, arXiv 2309.12557)."""

import numpy as np
import torch
from torch import Tensor, nn

from kit.errors import KitError
from kit.losses.confidence import taught_cross_entropy
from kit.losses.distill import attention_kl, map_mse
from kit.losses.pseudo import cross_pseudo, pseudo_labels
from kit.losses.pseudo_label_counts import pseudo_counts
from kit.losses.supervised import cross_entropy
from kit.methods.base import Build, Method
from kit.methods.terms import Terms
from kit.methods.unlabelled.cutmix import Paste, single_cutmix
from kit.methods.unlabelled.teaching import Teaching
from kit.models.layers.norm import exchanged_pass
from kit.models.layers.upsampling import resize
from kit.settings.run import ModelConfig, TriKDConfig
from kit.types import Batch, Progress, StepOutput, Views

RAMPED = ("cps", "low", "high")
"""Terms that rise over `TriKDConfig.ramp`."""


class TriKD(Method):
    """A small student, a convolutional network and a vision transformer learn together; the student is kept.

    `L = sup + sup_cnn + sup_vit + w_cps * cps + w_low * low + w_high * high`

    | term | images | what | gradient reaches |
    | --- | --- | --- | --- |
    | sup, sup_cnn | labelled | OHEM cross entropy | the student; the CNN |
    | sup_vit | labelled | cross entropy | the ViT |
    | cps | unlabelled, where not padded | six ordered pairs, each against another's argmax | all three |
    | low | all | MSE of the student's finest map, through `low` (1x1), to the CNN's finest | student, `low` |
    | high | all | KL of the student's last attention, heads mapped by `high` (1x1), to the ViT's | student, `high` |

    A term of weight 0 is not computed. Without a view, the terms that need it are left out too.

    Known differences of the authors' code, each a switch (`kit.settings.ablations.OFFICIAL`): two passes, so that batch
    norm sees labelled and unlabelled images apart; padding of unlabelled crops taught as content; the attention KL
    averaged over all elements of a table that is resized flattened; the student's last block without windows and bias
    in its forward, not only in its scores; the Gaussian one bin off the zero frequency; an inverted ViT pyramid, whose
    decoder works at 1/32; a rate that is one step late and never decays for the ViT; weight decay on everything.
    The paper names OHEM for all views; the authors' code and this kit use plain cross entropy for the ViT.

    Not switches: their mixed precision is float16 (here bfloat16, and scores as its softmax sees them), their padding
    is black (here the mean colour), their batch norm is synchronised over four GPUs, and their labelled list is
    repeated to the length of the unlabelled one (here each list is shuffled and repeated by itself).

    Options from later work: all networks learn on strong views with CutMix, from labels that the networks' running
    averages predict on the weak crops (`unlabelled_view`). Labels come from each other network or from the mean of all
    (`cps_labels`); they can be limited by a threshold, by one per class, or to pixels where the averages agree
    (`cps_threshold`, `class_share`, `cps_agreement`); classes of labelled images can be pasted over the views
    (`class_paste`). The low- and high-level terms then see the mixed images.

    With two passes, the first is differentiated before the second runs, and a network whose output no other term needs
    at once: a third less memory than a joint pass, in the same time, with the same gradient. Unlabelled images
    therefore go first; batch norm's running averages still match the authors' order, labelled images first.
    """

    def __init__(self, cfg: TriKDConfig, student: ModelConfig, build: Build):
        super().__init__(cfg, student, build)
        self.weights = cfg.weights()
        self.cnn = build(cfg.cnn) if "cnn" in cfg.views else None
        self.vit = build(cfg.vit) if "vit" in cfg.views else None
        self.low = self.high = None
        if "low" in self.weights:
            self.low = nn.Conv2d(self.student.encoder.channels[0], self.cnn.encoder.channels[0], 1)
        if "high" in self.weights:
            heads, vit_heads = self.student.encoder.heads, self.vit.encoder.heads
            if not (heads and vit_heads):
                lacking = student.name if not heads else cfg.vit.name
                raise KitError(
                    f"{lacking} has no attention; take a TinyViT, a ViT or a hybrid, or set method.high_weight to 0"
                )
            self.high = nn.Conv2d(heads, vit_heads, 1)
        self.teaching = None
        if cfg.unlabelled_view == "strong" and "cps" in self.weights:
            self.teaching = Teaching(cfg, self.networks(), self.student.num_classes)

    def forward(self, batch: Batch, progress: Progress) -> StepOutput:
        steady, rising = ({k: w for k, w in self.weights.items() if (k in RAMPED) == late} for late in (False, True))
        terms = self.terms(progress, steady, rising)
        labels = None
        if self.cfg.unlabelled_view == "strong":
            (mix,) = self.mixes(self.cfg, batch, self.student.num_classes, progress.rng)
            if self.teaching is not None:
                labels = self.teaching(batch, mix)
            batch = mix.seen(batch, batch.strong[:, 0])
        if self.cfg.passes == "joint":
            self.one_pass(batch, terms, labels)
        else:  # unlabelled first: all networks' activations are kept at once, so no other gradients should be
            images = len(batch.images) + len(batch.weak)
            unlabelled = batch._replace(images=batch.images[:0], masks=batch.masks[:0])
            labelled = batch._replace(weak=batch.weak[:0], valid=batch.valid[:0], hidden=None)
            with exchanged_pass(self, first=True):
                self.one_pass(unlabelled, terms, labels, len(batch.weak) / images)
            terms.settle()
            with exchanged_pass(self, first=False):
                self.one_pass(labelled, terms, None, len(batch.images) / images)
        return terms.output()

    def one_pass(self, batch: Batch, terms: Terms, labels: dict[str, list[Tensor]] | None, share: float = 1.0) -> None:
        """Add the terms of one pass over labelled and unlabelled images; either may be empty.

        Args:
            labels: for each network, labels of the unlabelled images; None takes them from this pass.
            share: share of the step's images that are in `batch`; multiplies the terms that use all images.
        """
        cfg, n, images = self.cfg, len(batch.images), torch.cat([batch.images, batch.weak])
        of_vit = self.supervised if cfg.sup_vit_loss == "ohem" else cross_entropy
        coupled = "cps" in terms and len(batch.weak) > 0  # else the CNN and the ViT learn only from their own terms

        vit = self.vit(images, "high" in terms and "detached") if self.vit else None
        if "sup_vit" in terms and n:
            terms.add("sup_vit", of_vit(vit.logits[:n], batch.masks))
        if not coupled:
            terms.settle()
        cnn = self.cnn(images) if self.cnn else None
        if "sup_cnn" in terms and n:
            terms.add("sup_cnn", self.supervised(cnn.logits[:n], batch.masks))
        if not coupled:
            terms.settle()
        student = self.student(images, "high" in terms)
        if "sup" in terms and n:
            terms.add("sup", self.supervised(student.logits[:n], batch.masks))
        if coupled:
            valid = batch.valid if cfg.padding == "masked" else torch.ones_like(batch.valid)
            seen = {"student": student, "cnn": cnn, "vit": vit}
            seen = {name: view.logits[n:] for name, view in seen.items() if view}
            if labels is None:
                terms.add("cps", cross_pseudo(list(seen.values()), valid))
            else:
                terms.add("cps", taught_cross_entropy(list(seen.values()), [labels[name] for name in seen], valid))
        if "low" in terms:
            mapped = self.low(student.maps[0])
            if mapped.shape != cnn.maps[0].shape:  # networks with other strides, or that resize their images
                mapped = resize(mapped, cnn.maps[0].shape[-2:])
            terms.add("low", share * map_mse(mapped, cnn.maps[0], self.cfg.low_unit))
        if "high" in terms:
            mapped = self.map_heads(student.scores)
            terms.add("high", share * attention_kl(mapped, vit.scores, cfg.high_resize, cfg.high_reduction))
        teaching = [pseudo_labels(view.logits[n:], batch.valid) for view in (cnn, vit, student) if view]
        if labels is not None:  # the labels that are learnt
            teaching[0] = labels["student"][0]
        terms.count(pseudo_counts(teaching[0], batch.masks, self.student.num_classes,
                                  second=teaching[1], hidden=batch.hidden))  # fmt: skip

    def map_heads(self, scores: Tensor) -> Tensor:
        """The student's scores (B, heads, h, w, h, w) -> (B, heads of the ViT, h, w, h, w)."""
        h, w = scores.shape[2:4]
        table = self.high(scores.flatten(4).flatten(2, 3))  # (B, heads, h*w, h*w)
        return table.unflatten(3, (h, w)).unflatten(2, (h, w))

    def after_step(self, progress: Progress) -> None:
        if self.teaching is not None:
            self.teaching.update(self.networks(), progress.step)

    @classmethod
    def views_of(cls, cfg: TriKDConfig) -> Views:
        return Views(strong=int(cfg.unlabelled_view == "strong"))

    @classmethod
    def pastes(cls, cfg: TriKDConfig, weak: Tensor, rng: np.random.Generator) -> list[Paste]:
        return [single_cutmix(weak, rng)] if cfg.unlabelled_view == "strong" else []
