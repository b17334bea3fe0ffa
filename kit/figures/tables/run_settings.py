"""A run's settings at the top of a notebook: one line that unfolds to all of them."""

import html

from IPython.display import HTML

from kit.figures.style import method_name


def folded_settings(settings: dict[str, object]) -> HTML:
    """One line about a run that unfolds to every setting by its dotted name in `overrides`.

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
