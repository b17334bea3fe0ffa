"""A panel for `kit.data.doctor.diagnose`."""

import html

from ipywidgets import HTML, Button, IntProgress, IntText, Text, VBox

from kit.data.doctor.diagnose import examine
from kit.errors import KitError
from kit.figures.tables.diagnosis import summary
from kit.system.paths import from_project


def doctor_panel(
    dataset: str = "synthetic", root: str = "data/synthetic", split: str = "", split_seed: int = 0
) -> VBox:
    """Fields for a data set and a split, a button that reads every file, a progress bar, and the findings.

    Arguments are the first values of the fields, see `kit.data.doctor.diagnose.examine`; a relative `root` is relative
    to the project's folder.
    """
    fields = {
        "dataset": Text(dataset, description="Data set"),
        "root": Text(root, description="Folder"),
        "split": Text(split, description="Split", placeholder="1_16, count_20, a folder of lists, or none"),
        "split_seed": IntText(split_seed, description="Split seed"),
    }
    start, progress, result = Button(description="Examine"), IntProgress(min=0, value=0), HTML()

    def watch(done: int, total: int) -> None:
        progress.max = total
        if done == total or done % max(1, total // 100) == 0:  # each change is a message to the browser
            progress.value = done

    def run(_) -> None:
        start.disabled, progress.value, result.value = True, 0, ""
        try:
            values = {name: field.value for name, field in fields.items()}
            text = summary(examine(**{**values, "root": from_project(values["root"])}, progress=watch))
        except KitError as error:
            text = f"error: {error}"
        finally:
            start.disabled = False
        result.value = f"<pre>{html.escape(text)}</pre>"

    start.on_click(run)
    return VBox([*fields.values(), start, progress, result])
