"""Many runs: a grid of settings, done by processes on this machine or by the workers of a Dask cluster."""

from typing import TYPE_CHECKING

from quatnet import lazy

if TYPE_CHECKING:
    from quatnet.sweep.grid import jobs_of
    from quatnet.sweep.jobs import Job, Standing, standing
    from quatnet.sweep.run import run_jobs

__all__ = ["Job", "Standing", "jobs_of", "run_jobs", "standing"]

if not TYPE_CHECKING:
    _HOMES = {
        "Job": "quatnet.sweep.jobs:Job",
        "Standing": "quatnet.sweep.jobs:Standing",
        "jobs_of": "quatnet.sweep.grid:jobs_of",
        "run_jobs": "quatnet.sweep.run:run_jobs",
        "standing": "quatnet.sweep.jobs:standing",
    }

    def __getattr__(name):
        return lazy.find(__name__, _HOMES, name)

    def __dir__():
        return sorted({*globals(), *__all__})
