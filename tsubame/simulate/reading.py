"""TOML -> ``Scenario``. Every mistake is named by file and key; nothing is guessed and nothing is ignored."""

from __future__ import annotations

import dataclasses
import importlib.resources
import ipaddress
import re
import tomllib
import types
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tsubame.errors import MalformedScenario, UsageError
from tsubame.periods import load_zone
from tsubame.sensors import parse_network
from tsubame.simulate.scenario import PSEUDO_REGIONS, Scenario, ShapeSpec

_T = TypeVar("_T")


def built_in_scenarios() -> tuple[str, ...]:
    """Return the names of the scenarios that come with the package."""
    folder = importlib.resources.files("tsubame.simulate") / "scenarios"
    return tuple(sorted(item.name[:-5] for item in folder.iterdir() if item.name.endswith(".toml")))


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Read a scenario: the name of a built-in one, or the path of a TOML file.

    Raises:
        MalformedScenario: there is no such scenario, it cannot be read, or it contradicts itself; the error
            names the file and the line (TOML) or key.
    """
    text = str(name_or_path)
    if text in built_in_scenarios():
        source = importlib.resources.files("tsubame.simulate") / "scenarios" / f"{text}.toml"
        return parse_scenario(source.read_bytes(), key=f"{text}.toml", name=text)
    path = Path(text)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise MalformedScenario(
            "no such scenario",
            key=text,
            expected=f"a TOML file or one of {', '.join(built_in_scenarios())}",
        ) from None
    except OSError as error:
        raise MalformedScenario("cannot be read", key=text, actual=(error.strerror or "").lower()) from error
    return parse_scenario(content, key=text, name=path.stem)


def parse_scenario(content: bytes, *, key: str, name: str) -> Scenario:
    """Read a scenario from the bytes of a TOML file.

    Args:
        content: the file.
        key: its path, for messages.
        name: the scenario's name.

    Raises:
        MalformedScenario: see ``load_scenario``.
    """
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise MalformedScenario("is not UTF-8", key=key, offset=error.start) from error
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"^(.*?) \(at line (\d+), column \d+\)", str(error))
        raise MalformedScenario(
            f"is not TOML ({match[1] if match else error})",
            key=key,
            offset=int(match[2]) if match else None,
            unit="line",
        ) from error
    if "name" in table:
        raise MalformedScenario("key name: the file's name is the scenario's name", key=key)
    scenario = _read_table(Scenario, {"name": name, **table}, "", key)
    _check_whole(scenario, key)
    return scenario


def _wrong(key: str, where: str, expected: object, actual: object) -> MalformedScenario:
    return MalformedScenario(f"key {where}", key=key, expected=expected, actual=actual)


def _read_table(kind: type[_T], table: Any, where: str, key: str) -> _T:
    if not isinstance(table, dict):
        raise _wrong(key, where, "a table", _described(table))
    hints = get_type_hints(kind)
    known = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise MalformedScenario(
                f"unknown key {_joined(where, name)}",
                key=key,
                hint=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}.",
            )
    values = {}
    for name, item in known.items():
        at = _joined(where, name)
        if name in table:
            values[name] = _read_value(hints[name], table[name], at, key)
            _check_limits(values[name], item.metadata, at, key)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise MalformedScenario(f"key {at} is missing", key=key, expected=item.metadata["meaning"])
    return kind(**values)


def _joined(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _described(value: Any) -> str:
    text = repr(value) if not isinstance(value, date) else value.isoformat()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _read_value(hint: Any, value: Any, where: str, key: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _read_value(inner, value, where, key)
    if origin is Literal:
        if value not in arguments or isinstance(value, bool):
            choice = ", ".join(repr(item) if item == "" else str(item) for item in arguments)
            raise _wrong(key, where, f"one of {choice}", _described(value))
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(key, where, "a list", _described(value))
        return tuple(_read_value(arguments[0], item, f"{where}[{i}]", key) for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise _wrong(key, where, "a table", _described(value))
        return {
            _read_value(arguments[0], name, f"{where}.{name}", key): _read_value(
                arguments[1], item, f"{where}.{name}", key
            )
            for name, item in value.items()
        }
    if dataclasses.is_dataclass(hint):
        return _read_table(hint, value, where, key)  # type: ignore[arg-type]
    return _read_scalar(hint, value, where, key)


def _read_scalar(hint: Any, value: Any, where: str, key: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    names = {
        str: "a text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        date: "a date such as 2023-01-31",
    }
    wrong_type = not isinstance(value, hint) or (hint is not bool and isinstance(value, bool))
    if wrong_type or (hint is date and isinstance(value, datetime)):
        raise _wrong(key, where, names[hint], _described(value))
    if hint is float and not (value == value and abs(value) < 1e12):
        raise _wrong(key, where, "a finite number", _described(value))
    return value


def _check_limits(value: Any, limits: Any, where: str, key: str) -> None:
    items: Iterable[tuple[str, Any]] = ((where, value),)
    if isinstance(value, tuple):
        items = ((f"{where}[{i}]", item) for i, item in enumerate(value))
    elif isinstance(value, dict):
        items = ((f"{where}.{name}", item) for name, item in value.items())
    for at, item in items:
        if "at_least" in limits and item < limits["at_least"]:
            raise _wrong(key, at, f"at least {limits['at_least']}", item)
        if "at_most" in limits and item > limits["at_most"]:
            raise _wrong(key, at, f"at most {limits['at_most']}", item)
        if "above" in limits and not item > limits["above"]:
            raise _wrong(key, at, f"more than {limits['above']}", item)
        if "pattern" in limits and not re.fullmatch(limits["pattern"], item, re.ASCII):
            raise _wrong(key, at, f"a text like {limits['pattern']}", _described(item))


def parse_range(text: str) -> tuple[int, int]:
    """Read ``a.b.c.d/n`` or ``a.b.c.d-e.f.g.h`` as first and last address in host order.

    Raises:
        ValueError: the text is neither.
    """
    first, dash, last = text.partition("-")
    if not dash:
        return parse_network(text)
    ends = int(ipaddress.IPv4Address(first.strip())), int(ipaddress.IPv4Address(last.strip()))
    if ends[0] > ends[1]:
        raise ValueError("ends before it begins")
    return ends


def _check_whole(scenario: Scenario, key: str) -> None:
    """Check what single values cannot show: order of dates, names that refer to each other, ranges."""
    if scenario.last < scenario.first:
        raise _wrong(key, "last", f"a day not before {scenario.first}", scenario.last)
    try:
        load_zone(scenario.timezone)
    except UsageError as error:
        raise _wrong(key, "timezone", "a name such as Asia/Tokyo", repr(scenario.timezone)) from error
    for name in ("sensors", "traffic"):
        if not getattr(scenario, name):
            raise MalformedScenario(f"key {name} is empty", key=key, expected=f"[[{name}]] at least once")
    _check_sensors(scenario, key)
    _check_traffic(scenario, key)
    _check_events(scenario, key)
    _check_delegations(scenario, key)


def _check_sensors(scenario: Scenario, key: str) -> None:
    ids: set[str] = set()
    for i, sensor in enumerate(scenario.sensors):
        where = f"sensors[{i}]"
        if sensor.id in ids:
            raise _wrong(key, f"{where}.id", "an id of its own", sensor.id)
        ids.add(sensor.id)
        try:
            parse_network(sensor.address)
        except ValueError:
            raise _wrong(key, f"{where}.address", "an IPv4 address or CIDR block", "not shown") from None
        if sensor.active_from and sensor.active_to and sensor.active_to < sensor.active_from:
            raise _wrong(key, f"{where}.active_to", f"a day not before {sensor.active_from}", sensor.active_to)
    for name in ("outages", "damage"):
        for i, item in enumerate(getattr(scenario, name)):
            if item.sensor not in ids:
                raise _wrong(key, f"{name}[{i}].sensor", "the id of a sensor", item.sensor)
    for i, outage in enumerate(scenario.outages):
        if outage.last < outage.first:
            raise _wrong(key, f"outages[{i}].last", f"a day not before {outage.first}", outage.last)
    for i, damage in enumerate(scenario.damage):
        if not scenario.first - timedelta(days=1) <= damage.day <= scenario.last:
            raise _wrong(key, f"damage[{i}].day", f"a day from {scenario.first} to {scenario.last}", damage.day)


def _check_traffic(scenario: Scenario, key: str) -> None:
    seen: dict[str, set[str]] = {}
    for i, traffic in enumerate(scenario.traffic):
        where = f"traffic[{i}]"
        origins = {*traffic.rates, *traffic.blocks}
        if traffic.name in seen:
            raise _wrong(key, f"{where}.name", "a name of its own", traffic.name)
        if not origins:
            raise MalformedScenario(f"key {where} has neither rates nor blocks", key=key)
        for region in traffic.rates:
            if region not in PSEUDO_REGIONS and not re.fullmatch("[A-Z]{2}", region, re.ASCII):
                raise _wrong(key, f"{where}.rates", f"alpha-2 codes or {', '.join(PSEUDO_REGIONS)}", repr(region))
        _check_ranges(traffic.blocks, f"{where}.blocks", key)
        if traffic.weekly and len(traffic.weekly) != 7:
            raise _wrong(key, f"{where}.weekly", "seven numbers", len(traffic.weekly))
        if (traffic.protocol == "icmp") != (traffic.port == 0 and not traffic.ports):
            raise _wrong(
                key,
                f"{where}.port",
                "none" if traffic.protocol == "icmp" else "a port",
                traffic.port or "none",
            )
        if traffic.tool and (traffic.protocol != "tcp" or traffic.form != "scan"):
            raise _wrong(key, f"{where}.tool", "none but for TCP scans", traffic.tool)
        _check_form(traffic.form, traffic.protocol, where, key)
        if traffic.same_hosts_as:
            others = seen.get(traffic.same_hosts_as)
            if others is None or not origins <= others:
                raise _wrong(
                    key,
                    f"{where}.same_hosts_as",
                    "earlier traffic with these regions and blocks",
                    traffic.same_hosts_as,
                )
        for j, shape in enumerate(traffic.profile):
            _check_shape(shape, f"{where}.profile[{j}]", key)
        seen[traffic.name] = origins


def _check_form(form: str, protocol: str, where: str, key: str) -> None:
    allowed = {"tcp": ("scan", "syn-ack", "rst", "ack"), "udp": ("scan",), "icmp": ("scan", "icmp-reply")}
    if form not in allowed[protocol]:
        raise _wrong(key, f"{where}.form", f"one of {', '.join(allowed[protocol])} for {protocol}", form)


def _check_shape(shape: ShapeSpec, where: str, key: str) -> None:
    needs = {"burst": ("end",), "spike": ("peak", "end"), "ramp": ("end",), "shift": (), "wave": ()}[shape.kind]
    for name in ("peak", "end"):
        if (name in needs) != (getattr(shape, name) is not None):
            raise _wrong(
                key,
                f"{where}.{name}",
                "a date" if name in needs else f"none for a {shape.kind}",
                getattr(shape, name) or "none",
            )
    if (shape.kind == "wave") != (shape.period_days > 0):
        raise _wrong(key, f"{where}.period_days", "a number for a wave, none otherwise", shape.period_days or "none")
    order = [day for day in (shape.onset, shape.peak, shape.end) if day is not None]
    if order != sorted(order):
        raise _wrong(key, where, "onset, peak, end in this order", ", ".join(map(str, order)))


def _check_events(scenario: Scenario, key: str) -> None:
    names = {traffic.name: {*traffic.rates, *traffic.blocks} for traffic in scenario.traffic}
    for i, event in enumerate(scenario.events):
        where = f"events[{i}]"
        for name in event.traffic:
            if name not in names:
                near = get_close_matches(name, names, 1)
                raise _wrong(key, f"{where}.traffic", f"a traffic's name{f' ({near[0]}?)' * bool(near)}", name)
        reached = set().union(*(names[name] for name in event.traffic or names))
        for region in event.regions:
            if region not in reached:
                raise _wrong(key, f"{where}.regions", "a region or block of that traffic", region)
        _check_shape(event.shape, f"{where}.shape", key)


def _check_delegations(scenario: Scenario, key: str) -> None:
    spec = scenario.delegations
    for i, block in enumerate(spec.blocks):
        where = f"delegations.blocks[{i}]"
        _check_ranges((block.range,), f"{where}.range", key)
        if bool(block.region) != (block.status in ("allocated", "assigned")):
            raise _wrong(key, f"{where}.region", "a code where allocated or assigned", block.region or "nothing")
    for i, move in enumerate(spec.moves):
        _check_ranges(move.ranges, f"delegations.moves[{i}].ranges", key)
        if move.until is not None and move.until <= move.on:
            raise _wrong(key, f"delegations.moves[{i}].until", f"a date after {move.on}", move.until)
    for i, item in enumerate(spec.rearrangements):
        _check_ranges((item.range,), f"delegations.rearrangements[{i}].range", key)
    for i, glitch in enumerate(spec.glitches):
        _check_ranges((glitch.range,), f"delegations.glitches[{i}].range", key)
    for i, missing in enumerate(spec.missing):
        if missing.last < missing.first:
            raise _wrong(key, f"delegations.missing[{i}].last", f"a date not before {missing.first}", missing.last)


def _check_ranges(ranges: Iterable[str], where: str, key: str) -> None:
    for text in ranges:
        try:
            parse_range(text)
        except ValueError:
            raise _wrong(key, where, "a CIDR or first-last", repr(text)) from None
