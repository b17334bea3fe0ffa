"""A run belongs to its data: with other data its folder is neither reported as finished nor resumed."""

from kit.data.fingerprint import changes, find_data
from kit.errors import KitError
from kit.runs.folder import RunFolder
from kit.settings.run import RunConfig


def check_bound(folder: RunFolder, cfg: RunConfig, data: dict | None = None) -> None:
    """Raise KitError unless a folder is free or holds the run `cfg` on the data that `cfg` names.

    Args:
        data: `kit.data.fingerprint.Data.record` of `cfg`; None computes it.
    """
    folder.check_free(cfg)
    check_data(folder, cfg, data)


def check_data(folder: RunFolder, cfg: RunConfig, data: dict | None = None) -> None:
    """Raise KitError if the run in a folder learnt from data other than those of `cfg`, or if these are missing.

    The data set may have moved: names and sizes of files count, not their folder. For folders of older versions only
    classes and lists of finished runs are compared.
    """
    before = folder.data()
    if before is None:
        return
    differing = changes(before, data or find_data(cfg.data, cfg.evaluate.limit).record())
    if differing:
        raise KitError(
            f"{folder.path} was trained on other data than those now in {cfg.data.root}: they differ in "
            f"{', '.join(differing)}; choose another run_dir, or delete the folder"
        )


def digest_if_other(cfg: RunConfig) -> str:
    """sha256 of the data of `cfg` if its folder holds a run on other data, else "".

    Raises: KitError if the folder holds a run and the data cannot be used.
    """
    before = RunFolder(cfg.run_dir).data()
    if before is None:
        return ""
    data = find_data(cfg.data, cfg.evaluate.limit)
    return data.digest() if changes(before, data.record()) else ""
