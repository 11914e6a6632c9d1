"""Many runs: a grid of settings, done by processes on this machine or by the workers of a Dask cluster."""

from typing import TYPE_CHECKING

from quatnet import lazy

if TYPE_CHECKING:
    from quatnet.sweep.grid import jobs_of
    from quatnet.sweep.jobs import Job, Status, status_of
    from quatnet.sweep.run import run_jobs

__all__ = ["Job", "Status", "jobs_of", "run_jobs", "status_of"]

if not TYPE_CHECKING:
    _HOMES = {
        "Job": "quatnet.sweep.jobs:Job",
        "Status": "quatnet.sweep.jobs:Status",
        "jobs_of": "quatnet.sweep.grid:jobs_of",
        "run_jobs": "quatnet.sweep.run:run_jobs",
        "status_of": "quatnet.sweep.jobs:status_of",
    }

    def __getattr__(name):
        return lazy.find(__name__, _HOMES, name)

    def __dir__():
        return sorted({*globals(), *__all__})
