"""All runs below a folder."""

from pathlib import Path

from kit.errors import KitError
from kit.runs.folder import RunFolder, load_run

NEEDED = {"method", "config", "seed", "dataset", "split", "protocol", "steps", "last", "average", "student_parameters",
          "seconds", "date", "commit"}  # fmt: skip
"""Fields of a result that tables and figures read."""


def find_runs(folder: str | Path) -> tuple[list[dict], list[str]]:
    """Finished runs below a folder, from `kit.load_run`, and a line for each folder of a run that is not finished.

    Args:
        folder: searched recursively; it may be the folder of a run itself.
    Raises: KitError if the folder does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise KitError(f"no folder {folder}")
    runs, others = [], []
    for config in sorted(folder.rglob("config.json")):
        run = RunFolder(config.parent)
        try:
            if run.result_file.is_file():
                found = load_run(run.path)
                if lacking := NEEDED - found.keys():
                    others.append(f"{run.result_file} lacks {', '.join(sorted(lacking))}")
                else:
                    runs.append(found)
            elif not (run.import_file.is_file() or (run.path / "model.safetensors").is_file()):
                # imported weights and model folders have no result
                step = max((record["step"] for record in run.log()), default=0)
                others.append(f"{run.path}: not finished, at step {step}")
        except KitError as error:
            others.append(str(error))
    return runs, others
