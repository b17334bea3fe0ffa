"""BENCHES: name -> function(arguments) behind `python -m kit bench NAME ...`.

A bench reads its own options, writes a table to standard output and returns the exit code (None is 0). "deploy" ends
with the line `fps=<number>`, and all others but "gpu" with `ratio=<number>`: how many times faster the kit is than the
plain reference that the bench carries with it.
"""

from kit.bench.data import bench_data
from kit.bench.deploy import bench_deploy
from kit.bench.evaluate import bench_evaluate
from kit.bench.gpu.run import bench_gpu
from kit.bench.mgd import bench_mgd
from kit.bench.trikd import bench_trikd

BENCHES = {"data": bench_data, "trikd": bench_trikd, "mgd": bench_mgd, "evaluate": bench_evaluate,
           "deploy": bench_deploy, "gpu": bench_gpu}  # fmt: skip
