"""What can go wrong that is not a defect."""


class UserError(Exception):
    """Something that the user can mend: bad data, or a spec that cannot work on this data.

    Args:
        code: a stable snake_case name for programs.
        message: what is wrong and what to do about it, for people.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.code, str(self))  # else it could not come back from another process


class InterruptedRun(Exception):  # noqa: N818  it is an outcome, not an error
    """The run was asked to stop (SIGTERM), and has written its checkpoint."""
