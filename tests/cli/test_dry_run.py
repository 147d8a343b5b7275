"""A dry run shows the plan and what somebody chose; programs get every setting."""

from __future__ import annotations

import json

LINE = ("vae", "train", "--data-dir", "x", "--config", "vae-tiny", "--epochs", "7", "--dry_run")


def test_people_see_the_plan_first_and_only_settings_that_are_not_the_defaults(shell, kitchen):
    told = shell(*LINE).out.splitlines()
    assert told[:3] == ["plan", "  done  1", "settings"]
    assert len(told) < 25
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in told if line.startswith("  --")}
    assert rows["--data-dir"] == "x  (option)" and rows["--epochs"] == "7  (option)"
    assert rows["--image-size"] == "32  (vae-tiny:3)"
    assert "--batch-size" not in rows
    assert told[-1] == "  rsforge vae train --data-dir x --config vae-tiny --epochs 7"


def test_programs_see_every_setting_and_its_origin(shell, kitchen):
    told = json.loads(shell(*LINE, "--json").out)
    assert told["plan"] == {"done": 1}
    assert told["settings"]["loop"]["batch_size"] == 16 and told["origins"]["batch_size"] == "default"
