"""The repository says the truth about itself: README, Procfile, locks, wheel, routes, configuration."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from channels import REGISTRY
from router.__main__ import outreach
from router.core.keywords import KeywordTable
from router.core.ladder import Ladder
from router.core.policy import read_policy
from router.core.quiet_hours import QuietHours
from router.core.rates import read_channel_rules
from router.core.tone_table import ToneTable
from router.receive import Receiver
from router.settings import load_settings, load_toml
from router.simulation.parameters import read_parameters
from router.store.engine import Store
from router.web.app import ENDPOINTS, make_app
from router.web.auth import Open, Page, Scope
from tests.support import readme
from tests.support.runtime import build_runtime

ROOT = Path(__file__).parents[1]
LOCKS = ["requirements.lock", "requirements-test.lock", "bench/requirements.lock", ".ci/build.lock"]

PUBLIC = {
    "GET /healthz",
    "GET /readyz",
    "GET /docs/api",
    "GET /openapi.json",
    "GET /static/member.css",
    "GET /a/{token}",  # a member's link: the signed token in it says whose it is
    "GET /push/{token}",  # a member's own browser, by a signed link
    "POST /push/{token}",
    "DELETE /push/{token}",
    "GET /push/static/{file}",
    "GET /sw.js",
    "GET /join/{code}",  # where strangers join: unconfirmed until the address itself says yes
    "POST /join/{code}",
    "GET /join/{code}.svg",
    "GET /join/confirm/{token}",  # an address confirms itself, by a signed link
    "POST /join/confirm/{token}",
    "GET /f/{token}",  # an ask that a member passed on: not who, and nothing of theirs
    "POST /f/{token}",  # strangers join, as on /join
    "GET /shared/{token}",  # what a member's own links brought, by a signed link
    "GET /ideas",  # what members propose: never who, nothing that waits for organizers
    "GET /ideas/{id}",
    "GET /propose/{token}",  # a member's own page of ideas, by a signed link
    "POST /propose/{token}",
    "GET /door",  # where a member asks for the link to their own page, which goes to their own address only
    "POST /door",
    "GET /u/{token}/door",
    "POST /u/{token}/door",
    "GET /m/{token}",  # a member's own door, by a signed link that can be made void
    "POST /m/{token}",
    "GET /m/{token}/why/{id}",
    "GET /m/{token}/data.json",
    "GET /m/{token}/data.zip",
    "GET /m/{token}/erase",
    "POST /m/{token}/erase",
    "GET /total/{id}.json",  # how far a launched ask's goal is: no names, no words of the ask
    "GET /total/{id}.svg",
    "GET /total/{id}.txt",
    "GET /host/{token}",  # a member's own form, by the signed link of their message
    "POST /host/{token}",
    "GET /e/{id}",  # an event that is open: no exact address, no host's name
    "GET /e/{id}.ics",
    "GET /e/{id}/{token}",  # a guest's or a host's own, by a signed link
    "GET /e/{id}/{token}.ics",
    "GET /",  # leads to /open
    "GET /open",  # what the movement asked of how many, and what came of it: never a person
    "GET /open/{id}",
    "GET /open/{id}.json",
    "GET /open/{id}/card",  # the same, for other people's pages
    "GET /office/sign-in",  # the organizers' door
    "POST /office/sign-in",
    "GET /office/welcome/{token}",  # somebody invited, by a link that works once
    "POST /office/welcome/{token}",
    "GET /static/{name}",
    "GET /open/embed",  # both in short: announced changes of the rules and the newest asks, for a frame
    "GET /open/rules.json",
    "POST /m/{token}/rules",  # a member seconds or objects, by the signed link to their own page
    "GET /open/overrides",  # asks that went out in spite of a debt, and why: public on purpose
    "GET /open/report-backs",
    "GET /u/{token}",
    "POST /u/{token}",
}
"""Addresses that anybody may call. A new one is a decision, so it is written down here too."""


@cache
def files() -> list[str]:
    """What belongs to the repository: what git has or would add; in an unpacked archive, everything."""
    if (ROOT / ".git").exists():
        command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    else:
        listed = [path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*")]
        made = re.compile(r"(^|/)(\.venv|\.venv-bench|\.[a-z_]+_cache|\.hypothesis|__pycache__|build|dist|bench/out)/")
        listed = [name for name in listed if not made.search(name)]
    return [name for name in listed if (ROOT / name).is_file()]


@cache
def texts() -> dict[str, str]:
    """Every file of the repository that is text, but for this one."""
    found = {}
    for name in files():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content and name != "tests/test_project.py":
            found[name] = content.decode("utf-8", "replace")
    return found


@pytest.mark.parametrize("name", readme.TABLES)
def test_the_tables_of_the_readme_equal_the_code(name: str) -> None:
    found = readme.between(name).search(readme.README.read_text("utf-8"))
    assert found is not None, f"README.md lacks <!-- {name} -->"
    assert found[0].strip() == readme.TABLES[name](), "run: .venv/bin/python -m tests.support.readme"


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for name in [name for name in files() if name.endswith(".md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", texts()[name]):
            assert (ROOT / name).parent.joinpath(target).exists(), f"{name} points at {target}"


def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", texts()["Makefile"], re.MULTILINE))
    for name in [name for name in files() if name.endswith(".md")]:
        named = set(re.findall(r"(?:`| {4})make ([a-z-]+)", texts()[name]))
        assert named <= targets, name


def test_every_command_of_the_procfile_exists() -> None:
    processes = dict(line.split(": ", 1) for line in texts()["Procfile"].splitlines())
    assert set(processes) == {"release", "web", "worker"}
    for command in processes.values():
        program, *words = command.split()
        assert program == "outreach"
        with outreach.make_context(program, words, resilient_parsing=False) as context:
            name, found, rest = outreach.resolve_command(context, words)
            assert found is not None, name
            found.make_context(name, rest).close()


async def test_every_route_has_an_access_rule(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    runtime = build_runtime(store)
    app = make_app(runtime, Receiver(runtime))
    routes = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    await store.aclose()
    assert routes - {("HEAD", path) for _, path in routes} == {(e.method, e.public_path) for e in ENDPOINTS}
    for endpoint in ENDPOINTS:
        where = f"{endpoint.method} {endpoint.public_path}"
        assert isinstance(endpoint.access, (Scope, Open, Page)), where
        assert (endpoint.access is Open.WEBHOOK) == endpoint.path.startswith("/hooks/"), where
        assert not (endpoint.access is Open.PUBLIC and "/api/" in endpoint.path), where
    public = {f"{e.method} {e.public_path}" for e in ENDPOINTS if e.access is Open.PUBLIC}
    assert public == PUBLIC


def test_every_file_of_the_configuration_loads() -> None:
    settings = load_settings()
    loaded = {path.stem: load_toml(path.stem, settings) for path in (ROOT / "config").glob("*.toml")}
    read_policy(loaded["policy"])
    QuietHours.from_toml(loaded["quiet_hours"])
    KeywordTable.from_toml(loaded["keywords"])
    ToneTable.from_toml(loaded["tone"])
    Ladder.from_toml(loaded["ladder"])
    read_parameters(loaded["simulation"])
    assert set(read_channel_rules(loaded["channels"])) >= set(REGISTRY), "each channel has its rates"


def test_the_wheel_carries_everything_that_the_program_reads(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    carried = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    own = {name for name in files() if name.startswith(("router/", "channels/"))}
    data = {f"router/_data/{name}" for name in files() if name.startswith(("templates/", "config/"))}
    assert carried == own | data
    assert "router/store/migrations/script.py.mako" in carried


def _pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", texts()[lock], re.MULTILINE))


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads(texts()["pyproject.toml"])
    wanted = project["project"]["dependencies"]
    tested = wanted + project["project"]["optional-dependencies"]["test"]
    for lock, lines in {
        "requirements.lock": wanted,
        "requirements-test.lock": tested,
        ".ci/build.lock": project["build-system"]["requires"],
    }.items():
        pins = _pins(lock)
        for requirement in map(Requirement, lines):
            version = pins.get(canonicalize_name(requirement.name), "none")
            assert version != "none", f"{lock} lacks {requirement.name}: run `make lock`"
            assert requirement.specifier.contains(version, prereleases=True), f"{lock}: {requirement.name} {version}"


def test_the_locks_agree_and_are_hashed() -> None:
    run = _pins("requirements.lock")
    assert run.items() <= _pins("requirements-test.lock").items()
    for lock in LOCKS:
        for name, version in _pins(lock).items():
            pinned = rf"(?m)^{re.escape(name)}=={re.escape(version)}(?: ; [^\\\n]+)? \\\n    --hash=sha256:"
            assert re.search(pinned, texts()[lock]), f"{lock}: {name} has no hash"
        assert "://" not in texts()[lock], f"{lock} names the place it was made at"
        assert "--index" not in texts()[lock]


def test_no_file_names_the_machine_it_was_written_on() -> None:
    place = re.compile(r"(?<![\w./~-])/(?:root|work|home/[a-z]|Users)/|\.pyenv|pypi\.(?!org)")
    for name, text in texts().items():
        found = place.search(text)
        assert found is None, f"{name}: …{text[max(0, found.start() - 30) : found.end() + 30]}…"


@pytest.mark.parametrize(
    ("body", "ci", "status"),
    [
        ("def test_it(): pytest.skip('no server')", "true", 1),
        ("def test_it(): pytest.xfail('some day')", "true", 1),
        ("def test_it(): pytest.skip('no server')", "", 0),
        ("def test_it(): pass", "true", 0),
    ],
)
def test_a_skip_counts_as_a_failure_in_ci(tmp_path: Path, body: str, ci: str, status: int) -> None:
    (tmp_path / "test_one.py").write_text(f"import pytest\n{body}\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.strict", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {**os.environ, "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == status, run.stdout


def test_the_lock_of_the_counterparts_names_no_registry() -> None:
    lock = texts()["tests/counterparts/package-lock.json"]
    assert '"resolved"' not in lock
    assert lock.count('"integrity": "sha512-') == lock.count('"node_modules/')
