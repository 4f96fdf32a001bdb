from types import SimpleNamespace

from clipfair.plan.snakemake.mark_outdated import mark_stale


class Dag:
    """b and c are made from a, d from c; e from what is there."""

    def __init__(self, folder, planned):
        there = folder / "there"
        there.touch()
        self.jobs = {
            "a": [there],
            "b": [folder / "lost"],
            "c": [folder / "lost"],
            "d": [there],
            "e": [there],
        }
        self.depending = {"a": {"b": 0, "c": 0}, "b": {}, "c": {"d": 0}, "d": {}, "e": {}}
        self.planned = planned

    def needrun(self, job):
        return job.name in self.planned

    def needrun_jobs(self):
        return filter(self.needrun, self.made)


def marked(folder, planned):
    dag = Dag(folder, planned)
    made = {name: Job(name, tuple(map(str, files))) for name, files in dag.jobs.items()}
    dag.made = list(made.values())
    dag.depending = {made[name]: {made[n]: 0 for n in after} for name, after in dag.depending.items()}
    found = []
    mark_stale(dag, SimpleNamespace(started=lambda job: found.append(job.name)))
    return sorted(found)


class Job:
    def __init__(self, name, files):
        self.name, self.input = name, files


def test_what_lost_an_input_and_all_that_is_made_from_it_is_stale(tmp_path):
    assert marked(tmp_path, "abcde") == ["b", "c", "d"]


def test_what_was_not_planned_is_left_alone(tmp_path):
    assert marked(tmp_path, "abe") == ["b"]
