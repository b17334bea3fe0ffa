"""Runs that start from the student of another."""

import pytest
import torch

from kit.data.catalog import find_spec
from kit.errors import KitError
from kit.methods.build import build_method
from kit.runs.folder import identity
from kit.settings.fields import replace_fields
from kit.train.loop import fit
from kit.train.prepare import first_weights


def test_a_student_and_what_copies_it_start_from_a_finished_run(tiny, tmp_path):
    first = fit(tiny(steps=1, run_dir=str(tmp_path / "first")))
    cfg = replace_fields(tiny("mean_teacher", run_dir=str(tmp_path / "second")), {"start": str(tmp_path / "first")})
    spec = find_spec("synthetic", tmp_path)
    weights, origin = first_weights(cfg, spec)
    assert origin["student"]["source"] == "run" and origin["student"]["name"] == str(tmp_path / "first")
    method = build_method(cfg, spec.num_classes, first=weights)
    for net in (method.student, method.teacher.net):  # the teacher is a copy of the student
        assert all(torch.equal(value, weights[name]) for name, value in net.state_dict().items())
    partner = build_method(replace_fields(tiny("cps"), {"start": cfg.start}), spec.num_classes, first=weights)
    nets = [net.state_dict() for _, net in sorted(partner.companions().items())]
    assert nets and not all(torch.equal(value, weights[name]) for name, value in nets[0].items())
    assert first["steps"] == 1


def test_another_network_or_no_run_is_refused_and_an_empty_start_keeps_the_digest(tiny, tmp_path):
    fit(tiny(steps=1, run_dir=str(tmp_path / "first")))
    spec = find_spec("synthetic", tmp_path)
    other = replace_fields(tiny(), {"start": str(tmp_path / "first"), "student.name": "resnet_demo"})
    with pytest.raises(KitError, match="is another network"):
        first_weights(other, spec)
    with pytest.raises(KitError, match="holds no"):
        first_weights(replace_fields(tiny(), {"start": str(tmp_path / "absent")}), spec)
    assert first_weights(tiny(), spec) == (None, {})
    assert identity(tiny()) != identity(replace_fields(tiny(), {"start": "x"}))
