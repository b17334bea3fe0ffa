import pytest

from kit.bench.timing import environment, speedup
from kit.system.turns import interleaved


def test_variants_take_turns_and_warm_up_untimed():
    calls = []
    seconds = interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=3, warmup=2)
    assert calls == ["a", "b"] * 5
    assert {name: len(runs) for name, runs in seconds.items()} == {"a": 3, "b": 3}
    assert all(second >= 0 for runs in seconds.values() for second in runs)


def test_runs_of_milliseconds_follow_untimed_ones_of_their_own():
    calls = []
    variants = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    seconds = interleaved(variants, repeats=2, warmup=0, settle=0.01)
    turns = "".join(calls)
    assert {name: len(runs) for name, runs in seconds.items()} == {"a": 2, "b": 2}
    assert turns.count("ab") == 2 and turns.count("ba") == 1  # still in turns
    assert min(turns.count("a"), turns.count("b")) > 4  # more than the timed ones


def test_speedup_compares_within_a_turn():
    assert speedup([2.0, 40.0, 3.0], [1.0, 10.0, 1.0]) == pytest.approx(3.0)  # a busy second turn hit both


def test_the_environment_is_one_line_with_versions():
    line = environment()
    assert "torch" in line and "pillow" in line and "cores" in line and "\n" not in line
