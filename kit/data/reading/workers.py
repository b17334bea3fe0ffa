"""Items of a data set in a given order, prepared by worker processes; an error in a worker is reported in one line."""

import signal
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader, Dataset

from kit.errors import KitError


class InOrder:
    """Iterates over `items[i]` for i in `order`, any number of times.

    Args:
        workers: processes that prepare items, two ahead each; 0 prepares them in this process. torch limits each worker
            to one thread, so that they do not compete for cores.
    Raises, while iterating: KitError that an item raised, in any process, or if a worker is killed.
    """

    def __init__(self, items: Dataset, order: Sequence[int], workers: int):
        self.loader = DataLoader(
            _Errors(items),
            batch_size=None,
            sampler=order,
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # else each iterator draws from the global one
            worker_init_fn=_ignore_signals,
        )

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator:
        try:
            for item in self.loader:
                if isinstance(item, KitError):
                    raise item
                yield item
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise KitError(
                "a loader process was killed, most often for lack of memory; lower data.workers or the batch size"
            ) from error


def _ignore_signals(worker: int) -> None:
    """Ignore signals sent to the whole job: on them the training process saves and stops, and it needs its workers
    until then. They end with it."""
    for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


class _Errors(Dataset):
    """Returns a KitError instead of raising it: torch would hide its line in a worker's traceback."""

    def __init__(self, items: Dataset):
        self.items = items

    def __getitem__(self, index: int):
        try:
            return self.items[index]
        except KitError as error:
            return error
