"""Simulated labelling on a data set with all masks: strategies compared with random images.

Every strategy starts from the same run on the same few labels. In each round the last run suggests images, their masks
are added to the labels, and the next run starts from the last student.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kit.batch.summary import mean_sd
from kit.data.fingerprint import find_data
from kit.data.splits.hash_draw import digest, draw
from kit.data.splits.split import Split, write_lists
from kit.errors import KitError
from kit.label.strategies import STRATEGIES
from kit.label.suggest import suggest
from kit.runs.folder import RunFolder
from kit.settings.checks import require_choice, require_positive
from kit.settings.fields import replace_fields
from kit.settings.run import RunConfig
from kit.system.storage import read_json
from kit.train.launch import launch
from kit.train.teachers import with_teachers

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Loop:
    """How labels are added."""

    start: int = 6
    """Number of images that are labelled at first, drawn by hash with the run's seed."""
    add: int = 6
    """Number of images that each round adds."""
    rounds: int = 5
    """Rounds after the first run."""
    warm_steps: int = 0
    """Steps of a run that starts from the last student; 0: as many as the first run has."""

    def __post_init__(self):
        require_positive(start=self.start, add=self.add, rounds=self.rounds)


def simulate(cfg: RunConfig, loop: Loop, strategies: Sequence[str], out: Path, say: Say | None = None) -> dict:
    """Run the loop with each strategy below `out`; finished runs are not repeated.

    Args:
        cfg: of the first run; the labels come from its split, "all" or a folder of lists.
        loop: how labels are added.
        strategies: keys of `kit.label.strategies.STRATEGIES`; "random" is added if it is not among them.
        say: called with a line after each run.
    Returns: {"seed", "strategies": name -> [{"labelled", "miou", "images" (those added)} of the first run and of each
        round]}.
    Raises: KitError for an unknown strategy, or if there are fewer images with masks than the rounds need.
    """
    strategies = tuple(dict.fromkeys([*strategies, "random"]))
    for name in strategies:
        require_choice(STRATEGIES, strategy=name)
    everything = find_data(cfg.data).split.labelled
    wanted = loop.start + loop.add * loop.rounds
    if wanted >= len(everything):
        raise KitError(f"the last round needs {wanted} labelled images, but only {len(everything)} have masks; "
                       "lower start, add or rounds")  # fmt: skip
    begun = draw(everything, loop.start, cfg.seed)
    first = _round(cfg, begun, everything, out / "start", "")
    found = {}
    for name in strategies:
        labelled, last, points = list(begun), first, [_point(first, begun, begun)]
        for turn in range(1, loop.rounds + 1):
            added = suggest(last["run_dir"], loop.add, name, seed=1000 * cfg.seed + turn, silent=True).names
            labelled += added
            steps = {"train.steps": loop.warm_steps} if loop.warm_steps else {}
            last = _round(replace_fields(cfg, steps), labelled, everything, out / f"{name}_{turn}", last["run_dir"])
            points.append(_point(last, labelled, added))
            if say:
                say(f"{name}, {len(labelled)} labels: mIoU {last['last']['miou']:.1%}")
        found[name] = points
    return {"seed": cfg.seed, "strategies": found}


def spread(simulations: Sequence[dict]) -> dict[str, list[dict]]:
    """The curve of each strategy over seeds: [{"labelled", "mean", "sd" (None for one), "n"}], mIoU in 0..1.

    Raises: KitError if the simulations do not have the same strategies and rounds.
    """
    shapes = {tuple((name, len(points)) for name, points in each["strategies"].items()) for each in simulations}
    if len(shapes) != 1:
        raise KitError("these simulations differ in their strategies or rounds; choose simulations of one grid")
    curves = {}
    for name in simulations[0]["strategies"]:
        rounds = zip(*(each["strategies"][name] for each in simulations), strict=True)
        curves[name] = [
            {"labelled": points[0]["labelled"], **mean_sd([point["miou"] for point in points])} for points in rounds
        ]
    return curves


def saving(curves: dict[str, list[dict]], strategy: str) -> float | None:
    """Share of the labels that a strategy saves: 1 - (labels at which it reaches the final mean of random images) /
    (final labels of random images), interpolated linearly between rounds; None if it never reaches that mean."""
    target, labels = curves["random"][-1]["mean"], curves["random"][-1]["labelled"]
    points = curves[strategy]
    if points[0]["mean"] >= target:
        return 1 - points[0]["labelled"] / labels
    for before, after in zip(points, points[1:], strict=False):
        if before["mean"] < target <= after["mean"]:
            part = (target - before["mean"]) / (after["mean"] - before["mean"])
            return 1 - (before["labelled"] + part * (after["labelled"] - before["labelled"])) / labels
    return None


def _round(cfg: RunConfig, labelled: Sequence[str], everything: Sequence[str], out: Path, start: str) -> dict:
    lists = out / "lists"
    name = f"{len(labelled)} labels of {out.parent.name}, {out.name}"
    write_lists(Split(name, tuple(labelled), tuple(sorted(set(everything) - set(labelled)))), lists)
    cfg = replace_fields(cfg, {"data.split": str(lists), "run_dir": str(out / "run"), "start": start})
    return {**launch(with_teachers(cfg)), "run_dir": cfg.run_dir}


def _point(run: dict, labelled: Sequence[str], added: Sequence[str]) -> dict:
    return {"labelled": len(labelled), "miou": run["last"]["miou"], "images": list(added)}


def collect(folder: Path) -> dict[str, dict]:
    """Simulations below a folder: method -> {"parameters", "seeds", "curves", "saved", "added", "commits"}.

    "parameters" are those that all seeds share, "added" the images of each seed, strategy and round.

    Raises: KitError if there is none, if simulations of one method differ in their parameters or repeat a seed, or as
        `spread`.
    """
    found: dict[str, list[dict]] = {}
    for path in sorted(Path(folder).rglob("result.json")):
        record = read_json(path)
        if "strategies" in record and "parameters" in record:
            found.setdefault(record["parameters"]["trained_by"], []).append(record)
    if not found:
        raise KitError(f"no finished simulation below {folder}; run notebooks/label_next.ipynb first")
    return {method: _collected(sorted(records, key=lambda each: each["seed"])) for method, records in found.items()}


def _collected(records: Sequence[dict]) -> dict:
    own = ("seed", "run_dir", "data_root")
    shared, *others = ({name: each["parameters"][name] for name in each["parameters"] if name not in own}
                       for each in records)  # fmt: skip
    seeds = [each["seed"] for each in records]
    if any(other != shared for other in others) or len(set(seeds)) < len(seeds):
        raise KitError(f"the simulations of {shared['trained_by']} differ in more than their seed, or repeat one; "
                       "choose the folder of one grid")  # fmt: skip
    curves = spread(records)
    return {
        "parameters": shared,
        "seeds": seeds,
        "curves": curves,
        "saved": {name: saving(curves, name) for name in curves},
        "added": {str(each["seed"]): {name: [point["images"] for point in points]
                                      for name, points in each["strategies"].items()} for each in records},
        "commits": sorted({str(each.get("commit")) for each in records}),
    }  # fmt: skip


def next_round(cfg: RunConfig, out: Path) -> RunConfig:
    """`cfg` for the next round of manual labelling below `out`. Its folder is named after the number of labels and a
    digest of their list. It starts from the student of the last round with other labels, if there is one.

    Raises: KitError if the data set or the split cannot be used.
    """
    labelled = find_data(cfg.data).split.labelled
    name = f"labels_{len(labelled):04d}_{digest(labelled)[:8]}"
    before = [each for each in rounds_so_far(out) if Path(each["run"]).name != name]
    folder = RunFolder(out / name)
    start = folder.config().start if folder.config_file.is_file() else before[-1]["run"] if before else ""
    return replace_fields(cfg, {"run_dir": str(out / name), "start": start})


def rounds_so_far(out: Path) -> list[dict]:
    """Finished rounds below `out` in order of date, as points of a curve: "labelled", "mean" (mIoU, 0..1), "sd" (None),
    "n" (1) and "run"."""
    results = [(folder, RunFolder(folder).result()) for folder in sorted(Path(out).glob("labels_*"))]
    done = [(str(result["date"]), folder, result) for folder, result in results if result is not None]
    return [
        {"labelled": result["split"]["labelled"], "mean": result["last"]["miou"], "sd": None, "n": 1,
         "run": str(folder)}
        for _, folder, result in sorted(done, key=lambda each: (each[0], each[1].name))
    ]  # fmt: skip
