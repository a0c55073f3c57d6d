"""The one hierarchy of errors that this package raises on purpose.

Every message says what was wrong, where, and what was expected. The command line turns each of them into one line on standard error and the
exit code ``exit_code``; anything else that escapes is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class HmsError(Exception):
    """Base class of all errors raised on purpose."""

    exit_code = 1

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are unpickled by calling their class with their message; ours take other arguments, and must survive the way from a worker.
        return _without_init, (type(self), self.args), self.__dict__


def _without_init(kind: type[HmsError], args: tuple[Any, ...]) -> HmsError:
    error = kind.__new__(kind)
    error.args = args
    return error


class InputError(HmsError):
    """What the user gave us cannot be used: a file, an option, a name."""

    exit_code = 2


class DataFileError(InputError):
    """A file cannot be read as what it should be.

    Parameters
    ----------
    path : str or Path
        The file.
    problem : str
        What was wrong with it.
    expected : str
        What would have been right.
    line : int, optional
        One-based line of the first offence, where the format has lines.
    """

    def __init__(self, path: str | Path, problem: str, expected: str, line: int | None = None) -> None:
        self.path = str(path)
        self.problem = problem
        self.expected = expected
        self.line = line
        where = self.path if line is None else f"{self.path}, line {line}"
        super().__init__(f"{where}: {problem}; expected {expected}")


class WorkloadError(InputError):
    """A workload is inconsistent: duplicated ids, cyclic or dangling parents, impossible values."""


class ClusterError(InputError):
    """A cluster is unknown, or its description is inconsistent."""


class UnknownNameError(InputError):
    """A policy, preset, cluster or format has no such name."""


class PolicyError(InputError):
    """A policy is spelled wrongly or its parameters make no sense."""


class IncompatiblePolicyError(PolicyError):
    """A policy cannot run this kind of workload.

    Parameters
    ----------
    policy, workload : str
        The two that do not go together.
    reason : str
        What the policy needs.
    """

    def __init__(self, policy: str, workload: str, reason: str) -> None:
        super().__init__(f"policy {policy!r} cannot run workload {workload!r}: {reason}")


class ModelError(InputError):
    """A learned model is missing, damaged, of another format, or made for something else."""


class GraphOrderError(WorkloadError):
    """The edges of a task graph contain a cycle or point at a task that is not there.

    Parameters
    ----------
    problem, expected : str
        What was wrong with the edges, and what would have been right; readers add where.
    """

    def __init__(self, problem: str, expected: str) -> None:
        self.problem = problem
        self.expected = expected
        super().__init__(f"{problem}; expected {expected}")


class RunRequestError(InputError):
    """A run cannot be what was asked for."""


class CredentialError(HmsError):
    """Credentials are missing, or are none that are good here. The message says which, and repeats nothing of them."""


class AlreadyRunningError(HmsError):
    """There is a run already; it was not touched."""


class NotRunningError(HmsError):
    """There is no run that this could be done to."""


class DecisionError(HmsError):
    """A decision cannot be carried out: it does not fit, or its task is not ready. Nothing was started."""


class EngineError(HmsError):
    """The simulation reached a state that it must never reach."""


class NothingToReportError(InputError):
    """A run produced no measured task, so there is nothing that could be reported."""


class SettingsError(InputError):
    """A setting makes no sense; the message begins with its name.

    Parameters
    ----------
    setting : str
        Its name as in the environment, such as ``HMS_POOL_SIZE``.
    problem, expected : str
        What was wrong with it, and what would have been right. Neither may repeat a value that could be a secret.
    """

    def __init__(self, setting: str, problem: str, expected: str) -> None:
        self.setting = setting
        super().__init__(f"{setting}: {problem}; expected {expected}")


class StorageError(HmsError):
    """Results cannot be stored or read."""


class StorageUnavailableError(StorageError):
    """The database cannot be reached, or the connection to it broke. Nothing of the transaction was written; trying again later may help."""


class StorageBusyError(StorageError):
    """Every connection is in use, and none became free in time. Trying again later may help."""


class StorageFencedError(StorageError):
    """Another process has become the leader of the run since: what this one writes no longer counts."""


class NoLeaderError(HmsError):
    """No process leads the run just now, or the one that did was lost on the way. Trying again later may help."""


class StorageConflictError(StorageError):
    """A row with this key is there already. Nothing of the transaction was written."""


class SchemaError(StorageError, InputError):
    """The database has no tables, older ones, or such as a newer version of the program has made."""

    exit_code = 2


class UnknownRunError(UnknownNameError):
    """There is no run of this number."""


class JournalError(StorageError):
    """The journal (the local backup of all results) is damaged, or was written by another version."""


class JournalFullError(JournalError):
    """The disk takes no more of the journal. The rows of that call were not written, none of them: keep them and try again."""
