"""What the launcher of several processes and the processes it starts agree on; standard library only.

The launcher makes a folder and names it in ``RSFORGE_EXIT_FOLDER``. Every process leaves three kinds of files there:
``RANK.PID`` when it starts, ``RANK.json`` with an error that the launcher shall report, ``RANK`` with its exit code.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

EXIT_FOLDER = "RSFORGE_EXIT_FOLDER"
TORCHRUN = "RSFORGE_TORCHRUN"
"""The variable that holds the process id of torchrun."""
PR_SET_PDEATHSIG = 1
"""The operation of prctl(2) that sets the signal sent at the death of the parent, from <linux/prctl.h>."""


def exit_folder() -> Path | None:
    """The folder of the launcher that started this process; None where no launcher did."""
    name = os.environ.get(EXIT_FOLDER)
    return Path(name) if name else None


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; without effect where there is no prctl(2).

    A parent that ended before the call is not noticed: compare ``os.getppid()`` with the expected id afterwards.
    """
    import ctypes  # 8 ms that ``rsforge --help`` does not need

    library = ctypes.CDLL(None)
    if hasattr(library, "prctl"):
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
