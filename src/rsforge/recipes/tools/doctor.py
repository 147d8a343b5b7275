"""``rsforge doctor``: what this machine has, what is missing, and how to get it."""

from __future__ import annotations

import warnings
from typing import Any

from rsforge.recipes.console import Console
from rsforge.recipes.tools.doctor_packages import examine_extras, examine_packages
from rsforge.recipes.tools.doctor_system import examine_system
from rsforge.recipes.tools.doctor_torch import examine_devices, examine_torch
from rsforge.recipes.tools.doctor_weights import examine_weights
from rsforge.settings.tools import DoctorSettings


def examine(settings: DoctorSettings, console: Console) -> dict[str, Any]:
    """Findings by subject, each with ``state`` (ok, warn, missing), ``found`` and ``fix``; it never fails.

    ``ready`` says whether everything that all commands need is there, ``attention`` lists what is not ok.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        findings = {"system": examine_system(), "torch": examine_torch()}
        findings |= {"packages": examine_packages(), "extras": examine_extras()}
        if findings["torch"]["version"]["state"] != "missing":
            findings |= {"devices": examine_devices(), "weights": examine_weights()}
    needed = [*findings["torch"].values(), *findings["packages"].values()]
    attention = [
        f"{subject}.{name}"
        for subject, own in findings.items()
        for name, finding in own.items()
        if finding["state"] != "ok"
    ]
    ready = all(finding["state"] != "missing" for finding in needed)
    return {"ready": ready, "attention": attention, **findings}
