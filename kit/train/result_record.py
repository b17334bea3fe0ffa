"""The record of a finished run."""

import torch

from kit.evaluate import protocol
from kit.evaluate.scores.metrics import Scores
from kit.runs.folder import SCHEMA
from kit.settings.fields import to_dict
from kit.train.processes import precision_of


def result_of(run, last: Scores, average: Scores, seconds: float) -> dict:
    """Content of result.json.

    Args:
        run: a `kit.train.loop.Run` that has done its steps.
        last, average: scores of its student's last weights and of their running average.
        seconds: of the evaluation.
    """
    return {
        "schema": SCHEMA,
        "method": run.cfg.method.name,
        "config": to_dict(run.cfg),
        "seed": run.cfg.seed,
        "dataset": run.parts.spec.record(),
        "split": run.parts.split.record(),
        "data": run.parts.data,
        "teachers": run.parts.teachers,
        "pretrained": run.origins,
        "protocol": protocol.sentence(run.cfg.evaluate),
        "protocol_fields": protocol.record(run.cfg.evaluate),
        "steps": run.cfg.train.steps,
        "last": last.record(),
        "average": average.record(),
        "best": run.tally.best,
        "student_parameters": sum(p.numel() for p in run.student.parameters()),
        "seconds": {"train": round(run.tally.seconds, 2), "evaluate": round(seconds, 2)},
        "device": str(run.accelerator.device),
        "precision": precision_of(run.accelerator),
        "processes": run.world.size,
        "threads": torch.get_num_threads(),
        "skipped_steps": run.tally.skipped,
        "weights": run.folder.weights().name,
        **run.provenance,
    }
