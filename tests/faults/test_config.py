"""Wrong settings (config.yaml in this folder): one line with file, key and known values, before any job."""

from pathlib import Path

import pytest
import yaml

from clipfair.core.errors import UserError
from clipfair.plan.configuration_files import configuration_files, read_configuration
from clipfair.plan.loading import load_plan
from tests.repository import ROOT

FAULTS = yaml.safe_load(Path(__file__).with_name("config.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["fault"])
def test_a_wrong_setting_is_one_line_before_any_job(fault, tmp_path):
    *steps, last = fault["key"].split(".")
    overlay: dict = {}
    entry = overlay
    for step in steps:
        entry = entry.setdefault(step, {})
    entry[last] = fault["value"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    files = [*configuration_files(ROOT), tmp_path / "mine.yaml"]
    with pytest.raises(UserError) as caught:
        load_plan(read_configuration(files), files)
    message = str(caught.value).replace(f"{tmp_path}/", "")
    assert "\n" not in message
    assert message.startswith(fault["message"])
