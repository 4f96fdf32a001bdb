"""Several processes: the same bytes as one, and nothing left of them."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest

from clipfair.balance import processes
from clipfair.balance import table as table_module
from clipfair.balance.__main__ import main
from clipfair.balance.processes import BatchProcesses
from clipfair.core.errors import UserError


@pytest.fixture
def many_batches(monkeypatch):
    """Tables are read in batches of 300 rows, and all of them are sent to other processes."""
    monkeypatch.setattr(table_module, "_BATCH_ROWS", 300)
    monkeypatch.setattr(processes, "_SMALL_BYTES", 0)


def test_the_files_do_not_depend_on_the_number_of_processes(people, tmp_path, write_table, many_batches):
    people = people.assign(uid=[f"{i:032x}" for i in range(len(people))])
    parts = {"a.parquet": people[:700], "b.csv": people[700:701], "c.csv": people[701:]}
    tables = [str(write_table(part, tmp_path / name)) for name, part in parts.items()]
    columns = ["--sensitive", "sex", "young", "--labels", "occupation", "--utility", "utility"]
    written = []
    for number in ("1", "3"):
        options = ["--key", "uid", "--per-shard", "--uids", "--rate", "0.5", "--processes", number]
        out = tmp_path / number
        main([*tables, *columns, *options, "--out", str(out)])
        files = sorted(path for path in out.rglob("*") if path.is_file())
        written.append({str(path.relative_to(out)): path.read_bytes() for path in files})
    assert len(written[0]) == 9
    assert written[0] == written[1]


def test_an_error_in_another_process_names_file_and_row(people, tmp_path, write_table, many_batches, capsys):
    people = people.assign(id=people.id.where(people.index != 1234))
    path = write_table(people, tmp_path / "t.parquet")
    with pytest.raises(SystemExit):
        main([str(path), "--sensitive", "sex", "--key", "id", "--out", str(tmp_path / "out")])
    last = capsys.readouterr().err.splitlines()[-1]
    assert "t.parquet: column 'id': missing value in row 1235" in last
    assert not (tmp_path / "out").exists()


def test_results_come_in_the_order_of_the_batches(monkeypatch):
    monkeypatch.setattr(processes, "_SMALL_BYTES", 0)
    with BatchProcesses(3) as three:
        assert list(three.map(str, range(20))) == [str(i) for i in range(20)]
        assert list(three.map(abs, [-1, 2])) == [1, 2]


def test_a_killed_process_is_one_line(monkeypatch):
    monkeypatch.setattr(processes, "_SMALL_BYTES", 0)
    with BatchProcesses(2) as two:
        for _ in range(2):  # while a result is awaited, and before the next batch is sent
            with pytest.raises(UserError, match="--processes 1"):
                list(two.map(os._exit, [1]))


def test_small_tables_start_no_process(people, tmp_path, write_table, monkeypatch):
    monkeypatch.setattr(processes, "ProcessPoolExecutor", None)
    path = write_table(people, tmp_path / "t.parquet")
    main([str(path), "--sensitive", "sex", "--processes", "2", "--out", str(tmp_path / "out")])
    assert len(pd.read_parquet(tmp_path / "out" / "weights.parquet")) == len(people)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_other_processes_end_with_the_first(how, tmp_path):
    # Long enough for the signal to arrive on a busy machine; a task that has begun is finished.
    seconds = 4 if how == signal.SIGINT else 1
    # Shells let background jobs ignore SIGINT, and so what these start.
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from clipfair.balance import processes\n"
        "processes._SMALL_BYTES = 0\n"
        "with processes.BatchProcesses(3) as three:\n"
        f"    for number, _ in enumerate(three.map(time.sleep, [0, 0, 0] + [{seconds}] * 3)):\n"
        "        print(number, flush=True)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with (tmp_path / "err").open("w") as errors:
        first = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )
    first.stdout.readline()
    others = psutil.Process(first.pid).children(recursive=True)
    assert len(others) >= 2
    # Ctrl-C reaches all processes of the terminal, a kill only one.
    if how == signal.SIGINT:
        os.killpg(first.pid, how)
    else:
        first.kill()
    first.wait(timeout=20)
    first.stdout.close()
    deadline = time.monotonic() + 20
    while any(other.is_running() and other.status() != "zombie" for other in others):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    interrupts = (tmp_path / "err").read_text().count("KeyboardInterrupt")
    assert interrupts == (1 if how == signal.SIGINT else 0)
