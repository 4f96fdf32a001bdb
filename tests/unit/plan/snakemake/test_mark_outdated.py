from types import SimpleNamespace

from clipfair.plan.snakemake.mark_outdated import mark_outdated


class Job:
    def __init__(self, name, file):
        self.name, self.input = name, [str(file)]


class Dag:
    """Jobs b and c need the outputs of a, d those of c, e those of none; the inputs of b and c are lost."""

    def __init__(self, folder, planned):
        existing, lost = folder / "existing", folder / "lost"
        existing.touch()
        files = {"a": existing, "b": lost, "c": lost, "d": existing, "e": existing}
        a, b, c, d, e = self.jobs = [Job(name, file) for name, file in files.items()]
        self.depending = {a: {b: 0, c: 0}, b: {}, c: {d: 0}, d: {}, e: {}}
        self.planned = planned

    def needrun(self, job):
        return job.name in self.planned

    def needrun_jobs(self):
        return filter(self.needrun, self.jobs)


def marked(folder, planned):
    found = []
    mark_outdated(Dag(folder, planned), SimpleNamespace(started=lambda job: found.append(job.name)))
    return sorted(found)


def test_a_job_that_lost_an_input_and_all_that_depend_on_it_are_marked(tmp_path):
    assert marked(tmp_path, "abcde") == ["b", "c", "d"]


def test_jobs_that_were_not_planned_are_not_marked(tmp_path):
    assert marked(tmp_path, "abe") == ["b"]
