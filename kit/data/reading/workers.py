"""Items of a data set in a given order, made ahead of time by worker processes that say what went wrong in one line."""

import signal
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader, Dataset

from kit.errors import KitError


class InOrder:
    """Iterates over `items[i]` for i in `order`, as often as one likes.

    Args:
        workers: processes that make items ahead, two each; 0 makes them where they are asked for. Each worker sets
            itself to one thread, so that they do not get in each other's way.
    Raises, while iterating: KitError as the item raised it, whichever process that was in, or if a worker is killed.
    """

    def __init__(self, items: Dataset, order: Sequence[int], workers: int):
        self.loader = DataLoader(
            _Errors(items),
            batch_size=None,
            sampler=order,
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # else each iterator draws from the global one
            worker_init_fn=_stay,
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
                "a loader process was killed, most often for want of memory; lower data.workers or the size of a batch"
            ) from error


def _stay(worker: int) -> None:
    """A signal to a whole job asks the training process to save and leave, which needs its workers until then. They go
    when it does."""
    for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


class _Errors(Dataset):
    """Returns a KitError instead of raising it: torch would bury its line in a worker's traceback."""

    def __init__(self, items: Dataset):
        self.items = items

    def __getitem__(self, index: int):
        try:
            return self.items[index]
        except KitError as error:
            return error
