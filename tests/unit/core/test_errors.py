import errno
import os
import sys

import pytest

from clipfair.core.errors import UserError, job_log, one_line_errors, progress


def test_a_user_error_is_one_line_and_status_1(capsys):
    with pytest.raises(SystemExit) as caught, one_line_errors():
        raise UserError("adult.data, line 7: 14 fields, expected 15; fetch the file again")
    assert caught.value.code == 1
    assert capsys.readouterr().err == (
        "clipfair: adult.data, line 7: 14 fields, expected 15; fetch the file again\n"
    )


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.ENOSPC, "free some space"), (errno.EACCES, "give yourself access")]
)
def test_a_system_error_that_the_user_can_fix_is_one_line(capsys, number, advice):
    with pytest.raises(SystemExit), one_line_errors():
        raise OSError(number, os.strerror(number), "results/table5.csv")
    line = capsys.readouterr().err
    assert line.startswith(f"clipfair: results/table5.csv: {os.strerror(number)}; {advice}")
    assert line.count("\n") == 1


def test_of_a_copy_the_full_disk_is_that_of_the_target(capsys):
    with pytest.raises(SystemExit), one_line_errors():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "mirror/adult.zip", None, "data/raw/adult.zip")
    assert capsys.readouterr().err.startswith("clipfair: data/raw/adult.zip: No space left on device")


def test_other_system_errors_keep_their_traceback():
    with pytest.raises(FileNotFoundError), one_line_errors():
        open("no/such/file")  # noqa: PTH123, SIM115


def test_bugs_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), one_line_errors():
        1 / 0  # noqa: B018


def test_a_job_writes_to_its_log_and_an_error_also_to_the_terminal(tmp_path, capsys):
    log = tmp_path / "logs" / "job.log"
    with pytest.raises(SystemExit), job_log(str(log)):
        print("step 1", file=sys.stderr)
        raise UserError("no space")
    assert log.read_text() == "step 1\nclipfair: no space\n"
    assert capsys.readouterr().err == "clipfair: no space\n"


def test_progress_prints_nothing_without_a_terminal(capsys):
    assert list(progress(range(3), what="fit")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
