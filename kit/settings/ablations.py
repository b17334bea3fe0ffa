"""Rows of TriKD's ablation tables: name -> overrides for `kit.settings.recipes.configure`."""

NETWORKS = ("student", "method.cnn", "method.vit")
"""Fields of a TriKD configuration that hold its three networks."""


def everywhere(**settings: object) -> dict[str, object]:
    """The same `ModelConfig` settings for all three networks."""
    return {f"{net}.{name}": value for net in NETWORKS for name, value in settings.items()}


OFFICIAL: dict[str, dict[str, object]] = {
    "late_rate": {"optim.lag": 1},
    "constant_vit_rate": {"optim.constant": ["vit"]},
    "decay_of_everything": {"optim.decay_all": True},
    "filter_centre": everywhere(filter_centre="official"),
    "filter_radius": everywhere(d0=10.0, d0_relative=False),
    "vit_pyramid": {"method.vit.pyramid": "official"},
    "vit_positions": {"method.vit.grid": [32, 32]},  # of a crop of 512
    "vit_cross_entropy": {"method.sup_vit_loss": "ce"},
    "student_last_block": {"student.last_block": "global"},
    "attention_reduction": {"method.high_reduction": "elements", "method.high_weight": 0.5},
    "attention_resize": {"method.high_resize": "table"},
    "taught_padding": {"method.padding": "taught"},
    "separate_passes": {"method.passes": "separate"},
}
"""Settings of the authors' code that differ from the kit's defaults (filter_radius and vit_cross_entropy are equal, but
a recipe may have changed them)."""

ABLATIONS: dict[str, dict[str, object]] = {
    "full": {},
    **{
        f"without_{term}": {f"method.{term}_weight": 0.0}
        for term in ("sup", "sup_cnn", "sup_vit", "cps", "low", "high")
    },
    "without_cnn": {"method.views": ["student", "vit"]},
    "without_vit": {"method.views": ["student", "cnn"]},
    "plain_laterals": everywhere(selection="plain"),
    "swapped_bands": everywhere(selection="swapped"),
    **{f"d0_{d0}": everywhere(d0=float(d0), d0_relative=False) for d0 in (1, 5, 10, 20, "inf")},
    **{f"official_{row}": overrides for row, overrides in OFFICIAL.items()},
}
"""Row of a table -> overrides; "full" is the recipe itself."""


def official(method: str = "trikd") -> dict[str, object]:
    """All rows of OFFICIAL merged; for other methods than "trikd", only settings of the student and the optimiser."""
    merged = {name: value for row in OFFICIAL.values() for name, value in row.items()}
    if method == "trikd":
        return merged
    return {k: v for k, v in merged.items() if not k.startswith("method.") and k != "optim.constant"}
