import pytest

from clipfair.plan.snakemake.progress_view import View, show

SAID = """\
Using workflow specific profile profiles/default for setting default command line arguments.
Building DAG of jobs...
Provided cores: 2
Job stats:
job                count
---------------  -------
fit_encoder            1
train_model            2
total                  3

Select jobs to execute...
Execute 2 jobs...

[Wed Nov 25 04:33:06 2026]
localrule fit_encoder:
    output: encoder.npz
    log: logs/fit_encoder/web.log
    jobid: 4
    reason: Missing output files: encoder.npz
[Wed Nov 25 04:33:06 2026]
rule train_model:
    jobid: 1
[Wed Nov 25 04:33:06 2026]
rule train_model:
    jobid: 2
"""
FINISHED = """\
[Wed Nov 25 04:33:11 2026]
Finished jobid: 4 (Rule: fit_encoder)
1 of 3 steps (33%) done
"""
FAILED = """\
clipfair: no space on the disk
[Wed Nov 25 04:34:00 2026]
Error in rule train_model:
    message: None
    jobid: 2
    log: logs/train_model/2.log (check log file(s) for error details)
Logfile logs/train_model/2.log:
step 7: not a finite number
Shutting down, this might take some time.
"""


def read(*texts):
    view = View()
    return view, [line for text in texts for line in text.splitlines() if view.read(line)]


def test_what_is_running_and_done():
    view, shown = read(SAID)
    assert (view.done, view.total, view.now) == (0, 3, "fit_encoder, train_model x2")
    view, shown = read(SAID, FINISHED)
    assert (view.done, view.total, view.now) == (1, 3, "train_model x2")
    assert shown == []
    assert view.advice == ""


def test_an_error_is_shown_whole_and_the_end_says_what_to_do():
    view, shown = read(SAID, FINISHED, FAILED)
    assert shown == [line for line in FAILED.splitlines() if not line.startswith(("[", "Shutting"))]
    assert view.now == "train_model"
    assert view.advice == (
        "clipfair: failed: train_model (logs/train_model/2.log); mend what is said there and type the same "
        "again: what is done stays"
    )


def test_after_an_error_jobs_go_on(capsys):
    view = show(line + "\n" for line in (SAID + FAILED + FINISHED).splitlines())
    assert (view.done, view.now) == (1, "train_model")
    assert "step 7: not a finite number" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line", ["Traceback (most recent call last):", "MissingRuleException:", "clipfair: x"]
)
def test_what_is_not_routine_is_shown(line):
    assert View().read(line)
