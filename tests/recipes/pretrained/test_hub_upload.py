"""Models pushed to a hub on loopback: what arrives, and what stays where it does not."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from rsforge.cli.main import run
from rsforge.errors import RsforgeError
from rsforge.recipes.pretrained.hub_upload import check_push, push_folder
from rsforge.recipes.pretrained.load import load_pretrained
from tests.worlds.consoles import RecordingConsole
from tests.worlds.hub_server import COMMIT, serve_hub
from tests.worlds.pretrained_model import write_model

LINE = ["diffusion", "export", "--pipeline", "RemoteDiff", "--license", "mit", "--output-dir", "fields", "--json"]
AGAIN = ["diffusion", "export", "--pipeline", "fields", "--output-dir", "fields", "--json"]
PUSH = ["--push-to-hub", "me/fields"]
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of the library for itself
FILES = ["model_index.json", "unet/diffusion_pytorch_model.safetensors", "unet/config.json", "nothing.txt"]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    # Large files by the plain protocol of Git LFS: this server does not speak the hub's own one.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_token")
    monkeypatch.setenv("HF_TOKEN", "hf_token")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "RemoteDiff")
    with serve_hub("me/fields", tmp_path / "RemoteDiff") as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def test_the_named_files_arrive_as_one_commit(hub, tmp_path):
    folder = tmp_path / "RemoteDiff"
    (folder / "unrelated.bin").write_text("x")
    told = push_folder(folder, "some/place", FILES, private=True, console=RecordingConsole())
    assert told == {"id": "some/place", "commit": COMMIT, "files": 3}
    (commit,) = hub.commits
    assert commit == {name: (folder / name).read_bytes() for name in FILES[:3]}
    (created,) = hub.created
    assert (created["organization"], created["name"]) == ("some", "place")
    assert created.get("visibility") == "private" or created.get("private") is True


def test_an_export_is_pushed_under_the_name_of_its_folder(hub, tmp_path, capsys):
    assert run([*LINE, "--push-to-hub"]) == 0
    told = json.loads(capsys.readouterr().out)["pushed"]
    assert told["id"] == "me/fields" and hub.created[0].get("visibility") != "private"
    (commit,) = hub.commits
    assert b"license: " in commit["README.md"] and {"rsforge.json", "model_index.json"} < set(commit)
    assert told["files"] == len(commit)


def test_a_push_that_fails_loses_nothing_and_goes_on(hub, tmp_path, capsys):
    hub.broken.add("/api/models/me/fields/commit/main")
    assert run([*LINE, *PUSH]) == 6
    error = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert error["code"] == "RSF-E013" and "fields" in error["kept"] and error["where"] == hub.url
    assert error["fix"].endswith("--pipeline fields --output-dir fields --push-to-hub me/fields")
    load_pretrained(tmp_path / "fields")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "fields").rglob("*") if p.is_file()}
    hub.broken.clear()
    sent = [call for call in hub.asked if call.startswith("PUT")]
    hub.asked.clear()
    assert run([*AGAIN, *PUSH]) == 0
    assert len(sent) == 3 and not [call for call in hub.asked if call.startswith("PUT")]
    assert len(hub.commits) == 1 and before == {p: p.stat().st_mtime_ns for p in before}


def test_nothing_is_sent_unless_asked(hub, tmp_path, capsys):
    assert run(LINE) == 0 and run([*AGAIN, *PUSH, "--dry-run"]) == 0
    assert hub.asked == []
    assert run(AGAIN) == 2


def test_a_login_is_asked_for_before_any_work(hub, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    with pytest.raises(RsforgeError, match="without a login") as caught:
        check_push("me/fields", Path("fields"))
    assert (caught.value.code, caught.value.exit) == ("RSF-E013", 6) and hub.asked == []


def test_the_command_that_pushes_again_makes_what_was_asked_for(hub, tmp_path, capsys):
    hub.broken.add("/api/repos/create")
    words = ["diffusion", "export", "--pipeline", "RemoteDiff", "--output-dir", "h p", *PUSH, "--hub-private", "--json"]
    assert run(words) == 6
    fix = json.loads(capsys.readouterr().err.splitlines()[-1])["fix"]
    assert "'h p'" in fix and hub.created == []
    hub.broken.clear()
    assert run([*shlex.split(fix.partition("rsforge ")[2]), "--json"]) == 0
    (created,) = hub.created
    assert len(hub.commits) == 1 and (created.get("visibility") == "private" or created.get("private") is True)


@pytest.mark.parametrize(
    "name",
    ["../x", "me/..", "-me/x", "me/x-", "me/.x", "me/a--b", "me/a..b", "me/x.git", f"me/{'x' * 97}", "me/\u00e9"],
)
def test_an_id_that_the_hub_refuses_is_refused_before_any_work(hub, name):
    with pytest.raises(RsforgeError, match="cannot be that of a model of the hub") as caught:
        check_push(name, Path("fields"))
    assert (caught.value.code, caught.value.found) == ("RSF-U005", name) and "OWNER/NAME" in caught.value.fix


def test_a_folder_whose_name_the_hub_refuses_is_refused_before_any_work(hub, capsys):
    words = ["diffusion", "export", "--pipeline", "RemoteDiff", "--output-dir", "my run", "--json"]
    assert run([*words, "--push-to-hub"]) == 2
    error = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert error["found"] == "my run" and "that of the output folder" in error["message"]
    assert hub.asked == [] and not Path("my run").exists()


@pytest.mark.parametrize("name", ["x", "me/x", "Me_2/x.y-z_", f"me/{'x' * 96}", "_/_"])
def test_ids_that_the_hub_takes_pass(hub, name):
    check_push(name, Path("fields"))
    pytest.importorskip("huggingface_hub").utils.validate_repo_id(name)
