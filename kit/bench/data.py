"""`python -m kit bench data`: training crops per second, against the plain way, on frames the bench makes itself.

A sample is one labelled crop as in published recipes: scaled by 0.5 to 2, cropped, flipped, colours unchanged. The
strong view of an unlabelled crop is timed on a separate line. Both sides use the same random draws and one thread.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from kit.bench.frames import crop_loader, frame_files
from kit.bench.plain import crops as reference
from kit.bench.timing import environment, speedup, torch_threads
from kit.data.reading.files import SegFiles
from kit.data.reading.transforms import Geometry, draw_geometry, padding, strong_colour
from kit.settings.checks import require_positive
from kit.system.turns import interleaved
from kit.types import IGNORE

SCALE = (0.5, 2.0)
STAGES = ("decode", "geometry", "to tensor")
NAMES = {"reference": "plain reference", "ours": "ours", "cached": "ours, cached"}


class Pipeline:
    """Stages that make a crop, run in order and timed separately.

    Args:
        steps: stage -> function of (index of the crop, result of the previous stage).
    """

    def __init__(self, steps: dict[str, Callable]):
        self.steps = steps
        self.seconds: dict[str, list[float]] = {stage: [] for stage in steps}
        self.spent = dict.fromkeys(steps, 0.0)

    def sample(self, k: int):
        """Image float32 (3, crop, crop) and mask int64 (crop, crop) of crop `k`."""
        made = None
        for stage, step in self.steps.items():
            started = time.perf_counter()
            made = step(k, made)
            self.spent[stage] += time.perf_counter() - started
        return made

    def run(self, count: int) -> None:
        """Make the first `count` crops, and append the total seconds of each stage to `seconds`."""
        self.spent = dict.fromkeys(self.steps, 0.0)
        for k in range(count):
            self.sample(k)
        for stage, seconds in self.spent.items():
            self.seconds[stage].append(seconds)


class Crops:
    """The same `count` random crops for every pipeline, cut from the training images in turn.

    Args:
        files: of the data set; all images have one size.
        crop: side of a crop in pixels.
        table: the reference maps label ids with a lookup table, which is faster than the usual loop over ids.
    """

    def __init__(self, files: SegFiles, crop: int, count: int, table: bool = False):
        self.files, self.crop, self.count, self.table = files, crop, count, table
        self.names = [files.ids[k % len(files.ids)] for k in range(count)]
        self.seeds = [[0, k] for k in range(count)]
        self.geometries = [
            draw_geometry(files.size(name), (crop, crop), SCALE, np.random.default_rng(seed))
            for name, seed in zip(self.names, self.seeds, strict=True)
        ]
        self.draws = [self._as_plain(k) for k in range(count)]

    def _as_plain(self, k: int) -> reference.Draw:
        """Crop `k` in the parameters of the reference: the scale, then the position in the scaled image."""
        g: Geometry = self.geometries[k]
        s = np.random.default_rng(self.seeds[k]).uniform(*SCALE)  # what `draw_geometry` draws first
        size = self.files.size(self.names[k])
        top, left = (
            max(0, min(round(start * s), round(full * s) - self.crop))
            for start, full in zip((g.top, g.left), size, strict=True)
        )
        return reference.Draw(s, top, left, g.flip)

    def reference(self) -> Pipeline:
        """The reference pipeline."""
        files, raw_ids = self.files, self.files.layout.masks[0].raw_ids

        def decode(k, _):
            return reference.decode(files.paths[self.names[k]], files.mask_path(self.names[k]), raw_ids, self.table)

        return Pipeline({
            "decode": decode,
            "geometry": lambda k, pair: reference.geometry(*pair, self.draws[k], self.crop),
            "to tensor": lambda k, pair: reference.to_tensor(*pair),
        })  # fmt: skip

    def ours(self, files: SegFiles) -> Pipeline:
        """The kit's pipeline, with the steps of `kit.data.loaders`; `files` may have a cache."""

        def fit(k, pair):
            image, mask = pair
            return self.geometries[k].fit(image, nearest=False), self.geometries[k].fit(mask[None], nearest=True)[0]

        def to_tensor(k, pair):
            image, mask = padding(3, self.crop, self.crop), torch.full((self.crop, self.crop), IGNORE)
            self.geometries[k].place(pair[0], image).div_(255)
            self.geometries[k].place(pair[1], mask)
            return image, mask

        return Pipeline({
            "decode": lambda k, _: files.pair(self.names[k], self.geometries[k].box),
            "geometry": fit,
            "to tensor": to_tensor,
        })  # fmt: skip

    def colours(self) -> dict[str, Callable[[], None]]:
        """Functions that make a strong view of every crop, by the reference and by the kit, from crops in memory."""

        def views(pipeline: Pipeline, change: Callable) -> Callable[[], None]:
            decode, fit, _ = pipeline.steps.values()
            images = [fit(k, decode(k, None))[0] for k in range(self.count)]

            def run() -> None:
                for image, seed in zip(images, self.seeds, strict=True):
                    change(image, np.random.default_rng([*seed, 1]))

            return run

        return {"reference": views(self.reference(), reference.colour),
                "ours": views(self.ours(self.files), strong_colour)}  # fmt: skip


def loader_runs(plain: SegFiles, cached: SegFiles, crop: int, count: int) -> dict[str, Callable[[], None]]:
    """Label -> full pass over a DataLoader that makes about `count` labelled crops in batches of 2."""

    def run(files: SegFiles, workers: int) -> None:
        for _ in crop_loader(files, crop, 2, workers, max(1, count // 2), unlabelled=False):
            pass

    return {
        f"{NAMES[who]}, {workers} workers": lambda files=files, workers=workers: run(files, workers)
        for who, files in (("ours", plain), ("cached", cached))
        for workers in (0, 2)
    }


def bench_data(arguments: list[str]) -> None:
    """Read the options, make frames in a temporary folder, time everything in turns, write the table."""
    parser = argparse.ArgumentParser(prog="python -m kit bench data", description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", type=int, default=6, help="PNG frames to make (default: 6)")
    parser.add_argument("--size", type=int, nargs=2, default=(1024, 2048), metavar=("H", "W"),
                        help="height and width of a frame (default: 1024 2048)")  # fmt: skip
    parser.add_argument("--crop", type=int, default=512, help="side of a crop (default: 512)")
    parser.add_argument("--samples", type=int, default=24, help="crops per timed run (default: 24)")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each variant (default: 5)")
    parser.add_argument("--table", action="store_true", help="map the reference's label ids by a table, not a loop")
    options = parser.parse_args(arguments)
    require_positive(**{f"--{name}": getattr(options, name) for name in ("frames", "crop", "samples", "repeats")})
    with torch_threads(1), tempfile.TemporaryDirectory(prefix="bench-data-") as folder:
        _measure(Path(folder), options)


def _measure(folder: Path, options: argparse.Namespace) -> None:
    plain, cached = frame_files(folder, options.frames, tuple(options.size))
    crops = Crops(plain, options.crop, options.samples, options.table)
    ways = {"reference": crops.reference(), "ours": crops.ours(plain), "cached": crops.ours(cached)}
    whole = interleaved({who: lambda way=way: way.run(crops.count) for who, way in ways.items()}, options.repeats)
    colour = interleaved(crops.colours(), options.repeats)
    loader = interleaved(loader_runs(plain, cached, options.crop, options.samples), options.repeats)

    say = sys.stdout.write
    size = sum(path.stat().st_size for path in plain.paths.values()) / len(plain.paths) / 1e6
    say(f"{options.frames} frames of {options.size[1]} x {options.size[0]} (PNG, {size:.1f} MB each), crop "
        f"{options.crop}, {options.samples} crops per run, median of {options.repeats} runs in turns, one thread\n"
        f"{environment()}\n\n")  # fmt: skip
    stages = {stage: [way.seconds[stage][-options.repeats :] for way in ways.values()] for stage in STAGES}
    say(f"{'samples/s':<18}" + "".join(f"{NAMES[who]:>17}" for who in ways) + "\n")
    for name, taken in {**stages, "labelled crop": whole.values(), "one strong view": colour.values()}.items():
        say(f"{name:<18}" + "".join(f"{crops.count / median(seconds):>17.1f}" for seconds in taken) + "\n")
    say("\n")
    for name, seconds in loader.items():
        say(f"whole loader, {name}: {options.samples // 2 * 2 / median(seconds):.1f} images/s\n")
    say("\nlabelled crops per second, ours / plain reference, turn by turn:\n")
    say(f"reading the files at every step: {speedup(whole['reference'], whole['ours']):.2f}\n")
    say(f"with data.cache, once it is filled:\nratio={speedup(whole['reference'], whole['cached']):.2f}\n")
