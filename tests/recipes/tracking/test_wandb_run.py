"""W&B recorded offline and read back, and whether a run is sent."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import matplotlib as mpl
import pytest
import wandb

from rsforge.data.synthetic.tile_dataset import write_tiles
from rsforge.engine.journal import read
from rsforge.recipes.tracking import wandb_run
from tests.worlds import warm_python
from tests.worlds.commands import VAE, command, rsforge
from tests.worlds.consoles import RecordingConsole
from tests.worlds.trackers import events

BLOCK, HEADER, WHOLE = 32768, 7, (1, 4)  # of the LevelDB log that a run is recorded in, behind seven bytes of its own


class Recording(NamedTuple):
    folder: Path
    runs: list[list[Any]]
    stdout: list[str]
    stderr: str
    requests: list[bytes]


class Listening:
    """A proxy, and a server of W&B, that answers nothing and remembers who asked."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(200))

    def environment(self, home: Path) -> dict[str, str]:
        """That of a machine where everything outside is reached through this proxy, and nobody is logged in."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB") and not k.lower().endswith("_proxy")}
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), self.url)
        own = {"HOME": str(home), "NETRC": str(home / "none"), "WANDB_BASE_URL": self.url, "OMP_NUM_THREADS": "1"}
        # Else matplotlib would look through all fonts again.
        return {**kept, **proxies, **own, "MPLCONFIGDIR": mpl.get_configdir()}


def records(folder: Path) -> list[Any]:
    """The records of an offline run."""
    from wandb.proto import wandb_internal_pb2 as protocol

    (path,) = folder.glob("run-*.wandb")
    data, place, part, found = path.read_bytes(), HEADER, b"", []
    while place + HEADER <= len(data):
        left = BLOCK - place % BLOCK
        if left < HEADER:
            place += left
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        part += data[place + HEADER : place + HEADER + size]
        place += HEADER + size
        if kind in WHOLE:
            found.append(protocol.Record.FromString(part))
            part = b""
    return found


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Recording:
    """Two epochs of an autoencoder, and two more by --resume, where no key is and nothing outside is reached."""
    base = tmp_path_factory.mktemp("tracked runs")
    write_tiles(base / "tiles", 30, 24, seed=1)
    (base / "home").mkdir()
    listening, folder = Listening(), base / "my run"
    line = (
        "vae train --data-dir {} --output-dir {} --save-every 2 --sample-every 2 --kl-warmup 0 --json "
        f"--log-every 3 --project seas --report-to wandb tensorboard {VAE}"
    )
    lines = [command(f"{line} {more}", base / "tiles", folder) for more in ("--epochs 2", "--epochs 4 --resume")]
    code = f"from rsforge.cli.main import run; print([run(line) for line in {lines}])"
    done = warm_python.run(["-c", code], listening.environment(base / "home"))
    *told, codes = done.stdout.splitlines()
    assert codes == "[0, 0]", done.stderr
    runs = [records(path) for path in sorted(folder.glob("wandb/offline-run-*"), key=lambda p: p.stat().st_ctime_ns)]
    listening.server.close()
    return Recording(folder, runs, told, done.stderr, listening.requests)


def of_kind(run: list[Any], kind: str) -> list[Any]:
    return [getattr(record, kind) for record in run if record.WhichOneof("record_type") == kind]


def history(run: list[Any]) -> dict[int, dict[str, Any]]:
    """Values by step and name."""
    rows = [
        {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in h.item} for h in of_kind(run, "history")
    ]
    return {row["_step"]: row for row in rows}


def test_without_a_key_nothing_is_sent_and_nothing_spoils_the_output(recording):
    assert recording.requests == []
    assert [json.loads(line)["output_dir"] for line in recording.stdout] == [str(recording.folder)] * 2
    assert recording.stderr.count("wandb      offline; to send it: wandb sync '") == 2
    assert "wandb:" not in recording.stderr and "warning" not in recording.stderr
    assert not list((recording.folder.parent / "home").rglob("*wandb*"))


def test_a_resumed_run_is_the_same_run_of_the_project(recording):
    described = [of_kind(run, "run")[0] for run in recording.runs]
    identity = (recording.folder / "wandb" / "run-id.txt").read_text()
    assert [(r.project, r.display_name, r.run_id) for r in described] == [("seas", "my run", identity)] * 2
    config = {u.key: json.loads(u.value_json) for u in described[0].config.update}
    assert (config["batch_size"], config["learning_rate"], config["epochs"], config["latent_dim"]) == (8, 1e-4, 2, 8)
    assert [of_kind(run, "exit")[0].exit_code for run in recording.runs] == [0, 0]


def test_figures_are_those_of_the_journal_at_optimizer_steps(recording):
    first, second = map(history, recording.runs)
    assert sorted(first) == [3, 4, 6, 8] and sorted(second) == [9, 12, 15, 16]
    rows = {row["step"]: row for row in read(recording.folder / "journal.jsonl") if not row.get("closed")}
    closed = {row["step"]: row for row in read(recording.folder / "journal.jsonl") if row.get("closed")}
    told = first | second
    for step in (3, 6, 9, 12, 15):
        assert told[step]["Batch/loss"] == rows[step]["loss"] and told[step]["Batch/lr"] == 1e-4
    assert [told[s]["Epoch/val/neg_elbo"] for s in (4, 8, 12, 16)] == [
        closed[s]["val/neg_elbo"] for s in (4, 8, 12, 16)
    ]
    assert [told[step]["epoch"] for step in (4, 8, 12, 16)] == [1, 2, 3, 4]
    assert "Batch/loss" not in told[4] and "Epoch/best" not in told[4]


def test_pictures_and_the_loss_plot_lie_in_the_run(recording):
    row = history(recording.runs[1])[16]
    assert (row["samples/_type"], row["samples/count"], row["reconstructions/count"]) == ("images/separated", 16, 6)
    (files,) = [
        p for p in recording.folder.glob("wandb/offline-run-*/files") if (p / row["samples/filenames"][0]).exists()
    ]
    shown = [*row["samples/filenames"], *row["reconstructions/filenames"], row["Training_Summary/Avg_Loss_Plot/path"]]
    assert all((files / name).stat().st_size for name in shown)
    plot = files / row["Training_Summary/Avg_Loss_Plot/path"]
    assert plot.read_bytes() == (recording.folder / "training_losses.png").read_bytes()


def test_weights_are_versions_of_one_artifact_and_no_copies(recording):
    logged = [of_kind(run, "artifact") for run in recording.runs]
    best = [json.loads(line)["best_epoch"] for line in recording.stdout]
    assert best == [2, 4] and [len(each) for each in logged] == [1, 1]
    for epoch, (artifact,) in zip(best, logged, strict=True):
        assert (artifact.name, artifact.type) == ("my-run-model", "model")
        assert set(artifact.aliases) == {f"epoch-{epoch}", "best", "latest"}
        (entry,) = artifact.manifest.contents
        assert entry.path == "best_model.pt" and Path(entry.local_path).stat().st_size == entry.size
        kept = recording.folder / f"checkpoint_{epoch:04d}.pt"
        assert Path(entry.local_path).samefile(kept)


def test_tensorboard_shows_figures_and_pictures(recording):
    found = events(recording.folder / "tensorboard")
    assert {"Batch/loss", "Epoch/loss", "Epoch/val/neg_elbo"} <= set(found.Tags()["scalars"])
    assert [e.step for e in found.Scalars("Epoch/loss")] == [4, 8, 12, 16]
    shown = {tag: [e.step for e in found.Images(tag)] for tag in found.Tags()["images"]}
    assert shown == {"samples": [8, 16], "reconstructions": [8, 16]}


@pytest.fixture
def nobody(tmp_path, monkeypatch):
    """A machine where nobody is logged in to W&B."""
    from wandb.sdk.lib import wbauth

    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wbauth.unauthenticate_session(update_settings=False)
    yield tmp_path
    wbauth.unauthenticate_session(update_settings=False)


def test_a_key_or_a_login_is_online_and_their_absence_offline(nobody, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert wandb_run.mode() == "offline"
    (nobody / "netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {'b' * 40}\n")
    assert wandb_run.mode() == "online"
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert wandb_run.mode() == "offline"


def test_a_key_in_the_environment_is_online(nobody, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    assert wandb_run.mode() == "online"


def test_a_run_that_does_not_begin_online_is_recorded_offline(nobody, monkeypatch, tmp_path):
    asked, console = [], RecordingConsole()

    def init(**settings: Any) -> Any:
        asked.append(settings["mode"])
        if settings["mode"] == "online":
            raise wandb.Error("no route to the server\nmore")
        return SimpleNamespace(offline=True, dir=str(tmp_path / "run" / "files"))

    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setattr(wandb, "init", init)
    wandb_run.begin(tmp_path, project="p", config={}, console=console)
    assert asked == ["online", "offline"]
    assert console.warned == ["W&B does not begin online, the run is recorded offline: no route to the server"]


LINE = f"vae train --data-dir synthetic --output-dir {{}} --report-to wandb {VAE}"


@pytest.mark.parametrize("more", ["", "--dry-run"])
def test_without_the_package_nothing_begins(tmp_path, monkeypatch, capsys, more):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert rsforge(f"{LINE} {more}", tmp_path / "run") == 6
    told = capsys.readouterr().err
    assert "error[RSF-E006]" in told and 'pip install "rsforge[wandb]"' in told
    assert not (tmp_path / "run").exists()


def test_a_folder_called_wandb_is_not_the_package(tmp_path, monkeypatch, capsys):
    (tmp_path / "wandb").mkdir()
    for name in [n for n in sys.modules if n.partition(".")[0] == "wandb"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(p for p in sys.path if not Path(p, "wandb").is_dir())])
    assert rsforge(LINE, tmp_path / "run") == 6
    assert "RSF-E006" in capsys.readouterr().err


def test_a_mode_that_is_none_is_refused_before_any_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_MODE", "onlin")
    assert rsforge(LINE, tmp_path / "run") == 2
    assert "RSF-U001" in capsys.readouterr().err and not (tmp_path / "run").exists()
