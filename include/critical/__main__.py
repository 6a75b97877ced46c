"""``make watch``, ``make alerts`` and ``make alert``: critical results of live messages, told within seconds and answered for.

python -m include.critical watch                       judge and tell until stopped (SIGTERM or Ctrl-C)
python -m include.critical check                       0 where a watcher said within a minute that it lives; for health checks
python -m include.critical list                        open alerts, their age, what could not be judged, how long telling takes
python -m include.critical show ID --by you            open one; the trail says so first. --acknowledge reads it back
python -m include.critical close ID treated --by you   end one that was acknowledged
python -m include.critical unwatch                     nobody watches any more: what was kept for the watcher is emptied
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading

from include.command import run_command
from include.critical import desk, listing
from include.critical.decide import LOINC
from include.critical.policy import CriticalPolicy, load_critical_policy
from include.errors import SettingsError
from include.settings import Settings
from include.warehouse.connect import connect

_log = logging.getLogger("plumbline.watch")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 2 where it cannot be done."""
    given = _parser().parse_args(arguments)
    return run_command("alerts", lambda: given.run(given, Settings.from_environment(os.environ)))


def _watch(_: argparse.Namespace, settings: Settings) -> int:
    from include.alerts.channels import channels_from_environment
    from include.critical.watch import Watch, serve
    from include.live.__main__ import listening_sources
    from include.privacy.keyring import load_keyring

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    policy = load_critical_policy()
    sources = {source.name: source for source in listening_sources(settings)}
    channels = channels_from_environment(os.environ, settings)
    watch = Watch(settings, sources, policy, load_keyring(settings.keyring_dir), channels)
    _refuse_no_channel(watch.steps, policy)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    serve(watch, stopping)
    _log.info("stopped")
    return 0


def _refuse_no_channel(steps: tuple, policy: CriticalPolicy) -> None:
    """Alerts that reach nobody are worse than none: somebody would rely on them."""
    if not steps:
        raise SettingsError(
            found="none of the policy's channels is configured, so alerts would reach nobody",
            expected="PLUMBLINE_ALERT_WEBHOOK or PLUMBLINE_ALERT_SMTP_HOST, _FROM and _TO",
            action="set one in the environment (see .env.example) and start again",
        )
    left_out = {step.channel for step in policy.telling.steps} - {step.channel for step in steps}
    if left_out:
        _log.warning("not configured, so nobody is told by it: %s", ", ".join(sorted(left_out)))


def _check(_: argparse.Namespace, settings: Settings) -> int:
    with connect("watcher", "hot", settings) as hot:
        return 0 if listing.read_waiting(hot).is_watched else 1


def _list(_: argparse.Namespace, settings: Settings) -> int:
    with connect("clinician", "hot", settings) as hot:
        for line in listing.tell(hot):
            print(line)
    return 0


def _show(given: argparse.Namespace, settings: Settings) -> int:
    opened = desk.open_alert(given.alert, by=given.by, settings=settings)
    print("\n".join(shown(opened, load_critical_policy())))
    if not given.acknowledge:
        if opened.state in ("new", "sent"):
            print(f"take it on by reading it back: make alert ID={str(opened.alert_id)[:8]} BY={given.by} ACK=1")
        return 0
    desk.refuse_answered(opened)
    print("read the value back and press Enter: ", end="", flush=True)
    desk.acknowledge(opened, sys.stdin.readline(), by=given.by, settings=settings)
    print(
        f"acknowledged by {given.by}; when it is dealt with: make alert ID={str(opened.alert_id)[:8]} BY={given.by} CLOSE=treated"
    )
    return 0


def _close(given: argparse.Namespace, settings: Settings) -> int:
    desk.close(given.alert, given.outcome, by=given.by, settings=settings)
    print(f"closed by {given.by}: {given.outcome}")
    return 0


def _unwatch(_: argparse.Namespace, settings: Settings) -> int:
    from include.critical.watch import stop_watching

    print(f"nobody watches any more; {stop_watching(settings)} landed message(s) that waited to be judged were emptied")
    return 0


def shown(opened: desk.Opened, policy: CriticalPolicy) -> list[str]:
    """An opened alert for the person who opened it."""
    result, patient = opened.result, opened.patient
    codings = (result.get("code") or {}).get("coding", ())
    code = next((each for each in codings if each.get("system") == LOINC), next(iter(codings), {}))
    name = " ".join(
        filter(
            None, (*(patient.get("name") or [{}])[0].get("given", ()), (patient.get("name") or [{}])[0].get("family"))
        )
    )
    numbers = ", ".join(str(each.get("value")) for each in patient.get("identifier", ()))
    ranges = ", ".join(each["text"] for each in result.get("referenceRange", ()) if each.get("text"))
    flags = ", ".join(
        coding.get("code", "") for each in result.get("interpretation", ()) for coding in each.get("coding", ())
    )
    state = opened.state + (f" by {opened.acknowledged_by}" if opened.acknowledged_by else "")
    return [
        f"alert {opened.alert_id}: {state}" + (f" ({opened.withdrawn_because})" if opened.withdrawn_because else ""),
        f"  patient   {name or 'name not told'}, {numbers or 'no number told'}, born {patient.get('birthDate', 'not told')}",
        f"  test      {code.get('display') or 'no name told'} ({code.get('code', 'no code')})",
        f"  result    {', '.join(desk.values_of(result)) or 'none told'}, {result.get('status', 'status not told')}"
        + (f", flag {flags}" if flags else "") + (f", usual {ranges}" if ranges else ""),
        f"  critical  {policy.title(opened.rule, opened.side)}",
        f"  observed  {result.get('effectiveDateTime', 'not told')}; received {opened.received_at:%Y-%m-%d %H:%M:%S} UTC",
    ]  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m include.critical", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for name, run, told in (
        ("watch", _watch, "judge live messages and tell of critical results until stopped"),
        ("check", _check, "exit 0 where a watcher is alive"),
        ("list", _list, "open alerts and what could not be judged"),
        ("unwatch", _unwatch, "nobody watches any more"),
    ):
        commands.add_parser(name, help=told).set_defaults(run=run)
    show = commands.add_parser("show", help="open an alert; the audit trail says so first")
    show.add_argument("alert", help="its id, or the first eight characters of it")
    show.add_argument("--by", required=True, help="who opens it")
    show.add_argument(
        "--acknowledge", action="store_true", help="read the value back (from standard input) and take the alert on"
    )
    show.set_defaults(run=_show)
    close = commands.add_parser("close", help="end an acknowledged alert")
    close.add_argument("alert")
    close.add_argument("outcome", choices=desk.OUTCOMES)
    close.add_argument("--by", required=True, help="who closes it")
    close.set_defaults(run=_close)
    return parser


if __name__ == "__main__":
    sys.exit(main())
