"""Errors cross process boundaries whole."""

import copy

import pytest

from hybrid_ml_scheduler.core.errors import DataFileError, HmsError, IncompatiblePolicyError, NothingToReportError


@pytest.mark.parametrize(
    "error",
    [
        DataFileError("trace.swf", "5 fields", "18 fields", line=7),
        IncompatiblePolicyError("heft", "steady", "it needs a cost matrix"),
        NothingToReportError("no task"),
        HmsError("plain"),
    ],
)
def test_errors_survive_being_rebuilt(error):
    # copy.copy takes the same way as pickle: __reduce_ex__.
    rebuilt = copy.copy(error)
    assert type(rebuilt) is type(error)
    assert str(rebuilt) == str(error)
    assert rebuilt.exit_code == error.exit_code
    assert vars(rebuilt) == vars(error)
