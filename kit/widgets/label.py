"""A panel for `kit.label.suggest`: tick suggestions shown with predictions, export them, import their annotations."""

from collections.abc import Callable
from pathlib import Path

from ipywidgets import HTML, Button, Checkbox, Dropdown, HBox, Layout, Text, VBox
from ipywidgets import Image as Picture

from kit.errors import KitError
from kit.figures.pictures.suggestions import contact_sheet
from kit.figures.style import show
from kit.figures.tables.formats import as_text
from kit.label.formats import FORMATS
from kit.label.importing import import_and_list, plan_import
from kit.label.preannotate import Drafts, preannotate, require_empty
from kit.label.suggest import Seen, Suggestions, write_suggestions
from kit.widgets.parts import outcome


def label_panel(suggestions: Suggestions, pictures: list[Seen], out: str | Path, dataset: str, root: str | Path,
                sure: float = 0.6) -> VBox:  # fmt: skip
    """A checkbox and a contact sheet for each suggestion, and buttons that export the ticked images and import
    annotations.

    Args:
        suggestions, pictures: from `kit.label.suggest`.
        out: folder for images.txt and drafts.
        dataset, root: the data set into which labels are imported.
        sure: smallest probability in drafts (`kit.label.preannotate.Drafts`).
    """
    return LabelPanel(suggestions, pictures, Path(out), dataset, Path(root), sure).box


class LabelPanel:
    """The controls; `ticked` holds the ids they select."""

    def __init__(self, suggestions: Suggestions, pictures: list[Seen], out: Path, dataset: str, root: Path,
                 sure: float = 0.6):  # fmt: skip
        self.suggestions, self.out, self.dataset, self.root, self.sure = suggestions, out, dataset, root, sure
        wide = Layout(width="auto")
        self.boxes, rows = {}, []
        for place, (each, picture) in enumerate(zip(suggestions.chosen, pictures, strict=True), 1):
            sheet = contact_sheet([each], [picture], suggestions.classes, suggestions.palette, suggestions.members,
                                  columns=1, width=6, first=place, legend=place == len(pictures),
                                  among=pictures)  # fmt: skip
            self.boxes[each.name] = Checkbox(True, description=each.name, indent=False, layout=Layout(width="20em"))
            shown = Picture(value=show(sheet).data, format="png", layout=Layout(max_width="40em", width="100%"))
            rows.append(HBox([self.boxes[each.name], shown], layout=Layout(flex_flow="row wrap")))
        self.form = Dropdown(options=list(FORMATS), value="cvat", description="Format", layout=wide)
        self.export = Button(description="Export ticked", icon="download", layout=wide)
        self.source = Text(placeholder="file, folder or zip archive", description="Export", layout=Layout(width="28em"))
        self.replace = Checkbox(False, description="replace masks", indent=False, layout=wide)
        self.load = Button(description="Import", icon="upload", layout=wide)
        self.message = HTML()
        self.export.on_click(lambda _: self._say(self.write))
        self.load.on_click(lambda _: self._say(self.bring_in))
        controls = [HBox([self.form, self.export]), HBox([self.source, self.replace, self.load])]
        self.box = VBox([*rows, *controls, self.message])

    @property
    def ticked(self) -> list[str]:
        """Ids that are ticked, best first."""
        return [name for name, box in self.boxes.items() if box.value]

    def write(self) -> str:
        """Write images.txt and drafts for the ticked images; return the paths as text."""
        if not self.ticked:
            raise KitError("nothing is ticked")
        drafts, out = Drafts(self.form.value, sure=self.sure), self.out / self.form.value
        require_empty(out)  # before the lists are written
        written = write_suggestions(self.suggestions, self.out, self.ticked)
        chosen = [(each.name, each.path) for each in self.suggestions.chosen if each.name in self.ticked]
        made = preannotate(self.suggestions.student(), chosen, out, drafts, silent=True)
        return "\n".join(map(str, [*written, *made]))

    def bring_in(self) -> str:
        """Import the export named in the field; return a summary of the changes."""
        if not self.source.value:
            raise KitError("name the file or folder that the annotation tool exported")
        plan = plan_import(self.source.value, self.dataset, self.root, replacing=self.replace.value)
        lines: list[str] = []
        if made := import_and_list(plan, lines.append):
            out, split = made
            lines.append(f"{len(split.labelled)} labelled images, lists in {out}")
        return as_text(plan.rows()) + "\n".join(lines)

    def _say(self, action: Callable[[], str]) -> None:
        self.message.value = outcome(action)
