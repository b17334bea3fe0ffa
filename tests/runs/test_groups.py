from kit.runs.groups import by_setting, group_key


def test_runs_that_differ_in_what_changes_no_result_are_one_setting():
    data = {"root": "/a", "workers": 0, "split": "1_8"}
    others = {**data, "root": "/b", "workers": 4}, {**data, "pool": "unlabelled"}, {**data, "split": "1_4"}
    runs = [{"method": "trikd", "seed": seed, "config": {"seed": seed, "run_dir": f"runs/{seed}", "data": each}}
            for seed, each in enumerate((data, *others))]  # fmt: skip
    assert [len(group) for group in by_setting(runs)] == [3, 1]


def test_a_setting_is_the_same_with_teachers_of_other_labels():
    def collected(split, deep, network="resnet_demo"):
        given = {"split": split, "overrides": {"method.deep": deep, "method.temperature": 2.0}}
        teachers = {"deep": {"run": deep, "network": network, "trained_by": "cps"}}
        return {"method": "distill", "seed": 0, "teachers": teachers, "config": {"parameters": given}}

    first, other = collected("1_8", "a"), collected("1_16", "b")
    assert group_key(first, "split") == group_key(other, "split")
    assert group_key(first) != group_key(other)  # other labels
    assert group_key(first) != group_key(collected("1_8", "a", "tinyvit_demo"))
    assert first["config"]["parameters"]["overrides"]["method.deep"] == "a"  # the run is unchanged
