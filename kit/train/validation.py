"""Scores of a run in progress on the val part."""

from dataclasses import replace

from kit.evaluate.run import count
from kit.evaluate.scores.metrics import Scores
from kit.models.segmenter import Segmenter


def score(run, which: str, net: Segmenter, full: bool) -> Scores:
    """Scores of a network on the val images, which are divided among the processes.

    Args:
        run: a `kit.train.loop.Run`.
        which: the network's weights, "last" or "average".
        full: at the end of a run: compute all scores, and save the counts of every image.
    """
    spec, cfg, world = run.parts.spec, run.cfg.evaluate, run.world
    counts = count(net, run.val_items(), spec, cfg, world.rank, world.size, full)
    if full:
        counts = replace(counts, images=run.parts.data["files"]["val images"]["sha256"])
        world.on_first(lambda: counts.save(run.folder.scores(which)))
    return counts.scores(spec.classes, cfg.resamples if full else 0)
