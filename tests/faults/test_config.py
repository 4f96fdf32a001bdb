"""Bad settings (config.yaml beside this file): one line, before any job."""

from pathlib import Path

import pytest
import yaml

from clipfair.core.errors import UserError
from clipfair.plan.registry import load_registry
from tests.repository import ROOT

FAULTS = yaml.safe_load(Path(__file__).with_name("config.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["fault"])
def test_a_bad_setting_is_one_line_before_any_job(fault):
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    *folders, last = fault["key"].split(".")
    entry = config
    for name in folders:
        entry = entry[name]
    if "value" in fault:
        entry[last] = fault["value"]
    else:
        del entry[last]
    with pytest.raises(UserError) as caught:
        load_registry(config)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(fault["told"])
