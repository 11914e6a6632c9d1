"""The errors a user can meet; each carries the exit code of the command line."""


class QuatnetError(Exception):
    """Anything that stops quatnet for a reason it can name in one line."""

    exit_code = 1


class RunError(QuatnetError):
    """A run failed (non-finite loss) or its folder is damaged."""

    exit_code = 1


class UsageError(QuatnetError, ValueError):
    """An argument is wrong; the message names it, what was given and what is allowed.

    With `field`, the name of the argument, the message is "field: problem"; the command line writes the option instead.
    """

    exit_code = 2

    def __init__(self, problem: str, field: str = "") -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.problem, self.field = problem, field


class DataError(QuatnetError):
    """A data file is missing, damaged or not what its name says."""

    exit_code = 3
