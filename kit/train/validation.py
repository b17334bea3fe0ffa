"""The student of a run in progress on the val part."""

from dataclasses import replace

from kit.evaluate.metrics import Scores
from kit.evaluate.run import count
from kit.models.segmenter import Segmenter


def judge(run, which: str, net: Segmenter, full: bool) -> Scores:
    """Scores of a network on the val images, shared out among the processes.

    Args:
        run: a `kit.train.loop.Run`.
        which: weights these are, "last" or "average".
        full: at the end of a run; computes everything, and keeps what was counted on every image.
    """
    spec, cfg, world = run.parts.spec, run.cfg.evaluate, run.world
    counts = count(net, run.val_items(), spec, cfg, world.rank, world.size, full)
    if full:
        counts = replace(counts, images=run.parts.data["files"]["val images"]["sha256"])
        world.on_first(lambda: counts.save(run.folder.scores(which)))
    return counts.scores(spec.classes, cfg.resamples if full else 0)
