"""A run's settings at the top of a notebook: one line, with all of them folded away behind it."""

import html

from IPython.display import HTML

from kit.figures.style import method_name


def folded_settings(settings: dict[str, object]) -> HTML:
    """One line about a run, which opens to every setting by the dotted name that `overrides` takes.

    Args:
        settings: from `kit.settings.fields.flat`.
    """
    s = settings
    head = (
        f"{method_name(s['method.name'])}, student {s['student.name']}, on {s['data.dataset']} ({s['data.split']}), "
        f"{s['train.steps']} steps, seed {s['seed']}, into {s['run_dir']}"
    )
    lines = "\n".join(f"{name}: {value!r}" for name, value in s.items())
    folded = f"<summary>{len(s)} settings</summary><pre>{html.escape(lines)}</pre>"
    return HTML(f"<p>{html.escape(head)}.</p><details>{folded}</details>")
