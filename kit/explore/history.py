"""Pictures of val images that a run wrote at its evaluations, read from its TensorBoard events."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import IMAGES, EventAccumulator

from kit.runs.folder import RunFolder

EVERYTHING = {IMAGES: 0, "scalars": 1, "histograms": 1, "tensors": 1}
"""Kind of event -> how many to keep; 0 is all."""


class History:
    """Pictures of a run, finished or not; a second call reads only new events."""

    def __init__(self, run_dir: str | Path):
        self.folder, self._events = RunFolder(run_dir).path / "tensorboard", None

    def pictures(self) -> dict[int, list[np.ndarray]]:
        """Step -> for each of a few val images, image, truth and prediction side by side, uint8 (H, 3 W, 3)."""
        if not self.folder.is_dir():
            return {}
        if self._events is None:
            self._events = EventAccumulator(str(self.folder), EVERYTHING)
        self._events.Reload()
        found: dict[int, dict[str, bytes]] = {}
        for tag in sorted(name for name in self._events.Tags()[IMAGES] if name.startswith("val/")):
            for event in self._events.Images(tag):
                found.setdefault(event.step, {})[tag] = event.encoded_image_string
        every = max(map(len, found.values()), default=0)  # a run that still trains may have written only some of a step
        return {step: [_decoded(data) for _, data in sorted(tags.items())]
                for step, tags in sorted(found.items()) if len(tags) == every}  # fmt: skip


def _decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
