from kit.runs.groups import by_setting


def test_runs_that_differ_in_what_changes_no_result_are_one_setting():
    data = {"root": "/a", "workers": 0, "split": "1_8"}
    others = {**data, "root": "/b", "workers": 4}, {**data, "pool": "unlabelled"}, {**data, "split": "1_4"}
    runs = [{"method": "trikd", "seed": seed, "config": {"seed": seed, "run_dir": f"runs/{seed}", "data": each}}
            for seed, each in enumerate((data, *others))]  # fmt: skip
    assert [len(group) for group in by_setting(runs)] == [3, 1]
