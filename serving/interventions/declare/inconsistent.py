"""Inconsistent settings: names that are declared nowhere, conditions that cannot be evaluated, keys that contradict each other."""

import re
from collections.abc import Collection, Iterator, Mapping
from zoneinfo import available_timezones

from registry.target_kinds import GROWTH, RISKS
from serving.interventions.declare.settings import Calendar, Channel, InterventionSettings, Playbook, Role, Rule, Sla
from serving.segmentation.settings import TargetOf

SECRET = re.compile(r"\$\{\w+\}")


def inconsistencies(settings: InterventionSettings, targets: Mapping[str, TargetOf]) -> list[str]:
    """Each problem as key = value: what is wrong and what to do; empty where all fits together."""
    return [
        *_of_playbooks(settings, targets),
        *_of_rules(settings, targets),
        *_of_slas(settings, targets),
        *_of_roles(settings),
        *_of_channels(settings),
        *_of_webhooks(settings),
        *_of_calendar(settings),
    ]


def _of_playbooks(settings: InterventionSettings, targets: Mapping[str, TargetOf]) -> Iterator[str]:
    for name, playbook in settings.playbooks.items():
        key = f"playbooks.{name}"
        yield from _target(f"{key}.for", playbook, targets)
        yield from _unknown(f"{key}.role", playbook.role, settings.roles, "roles")
        yield from _condition(key, playbook, targets)


def _target(key: str, playbook: Playbook, targets: Mapping[str, TargetOf]) -> Iterator[str]:
    can_change = {name for name, target in targets.items() if target.kind in (*RISKS, *GROWTH)}
    if playbook.outcome in targets and playbook.outcome not in can_change:
        kind = targets[playbook.outcome].kind
        yield f'{key} = "{playbook.outcome}": it is a target of kind {kind}, which says nothing of a risk or a chance; {_among(can_change, "targets")}'
    else:
        yield from _unknown(key, playbook.outcome, can_change, "targets")


def _of_rules(settings: InterventionSettings, targets: Mapping[str, TargetOf]) -> Iterator[str]:
    for name, rule in settings.rules.items():
        if rule.start is not None:
            yield from _unknown(f"rules.{name}.start", rule.start, settings.playbooks, "playbooks")
        yield from _condition(f"rules.{name}", rule, targets)


def _of_slas(settings: InterventionSettings, targets: Mapping[str, TargetOf]) -> Iterator[str]:
    for name, sla in settings.sla.items():
        key = f"sla.{name}"
        for place, role in enumerate(sla.notify):
            yield from _unknown(f"{key}.notify[{place}]", role, settings.roles, "roles")
        if sla.escalate_to is not None:
            yield from _unknown(f"{key}.escalate_to", sla.escalate_to, settings.roles, "roles")
        if name in settings.playbooks:
            yield f"{key}: a playbook has that name, too, and interventions are told apart by it; give it another"
        if sla.business_hours is not None:
            yield from _hours(f"{key}.business_hours", sla.business_hours)
        yield from _condition(key, sla, targets)


def _condition(key: str, declared: Playbook | Rule | Sla, targets: Mapping[str, TargetOf]) -> Iterator[str]:
    # Imported only now: most projects are loaded to do something else, and DuckDB takes its time.
    from serving.interventions.declare.columns import columns_of_accounts, columns_of_events
    from serving.interventions.declare.expressions import problems_of

    columns = (columns_of_events if isinstance(declared, Sla) else columns_of_accounts)(targets)
    for problem in problems_of(declared.when, columns):
        yield f"{key}.when = {_short(declared.when)}: {problem}"


def _of_roles(settings: InterventionSettings) -> Iterator[str]:
    for name, role in settings.roles.items():
        yield from _members(f"roles.{name}.members", role)
        for place, channel in enumerate(role.channels):
            yield from _unknown(f"roles.{name}.channels[{place}]", channel, settings.channels, "channels")


def _members(key: str, role: Role) -> Iterator[str]:
    """Each member has the capacity of the role: a name twice would count twice, and an empty list has none."""
    members = () if role.members == "owner" else role.members
    if role.members == () and role.capacity_per_week is not None:
        yield f'{key}: it is empty, so that there is no capacity at all; name somebody, or write "owner"'
    for name in sorted({one for one in members if members.count(one) > 1}):
        yield f'{key}: "{name}" is named twice; name each once'


def _of_channels(settings: InterventionSettings) -> Iterator[str]:
    for name, channel in settings.channels.items():
        key = f"channels.{name}"
        yield from _address(f"{key}.url", channel)
        yield from _plain_secrets(f"{key}.secrets", channel.secrets)
        for only in ("secrets", "types") if channel.kind == "people" else ():
            if getattr(channel, only):
                yield f"{key}.{only}: it belongs to a webhook, and this channel is people; leave it out"


def _address(key: str, channel: Channel) -> Iterator[str]:
    scheme = channel.url.partition("://")[0].lower()
    whole = SECRET.fullmatch(channel.url)
    if channel.kind == "webhook" and not whole and scheme not in ("https", "http"):
        yield f'{key} = {_address_shown(channel.url)}: a webhook begins with https://; people are reached with kind = "people"'
    if channel.kind == "webhook" and scheme == "http" and not channel.allow_private:
        yield f"{key} = {_address_shown(channel.url)}: it can be read on its way; write https://, or allow_private = true inside your own network"
    if channel.kind == "people" and not whole and "://" not in channel.url:
        yield f"{key} = {_address_shown(channel.url)}: it is no URL of Apprise, like mailtos://${{MAIL}} or dingtalk://${{TOKEN}}/"


def _address_shown(url: str) -> str:
    """The beginning of the URL: the rest may be secret."""
    scheme, found, _ = url.partition("://")
    return f'"{scheme}://..."' if found else '"..."'


def _of_webhooks(settings: InterventionSettings) -> Iterator[str]:
    for name, webhook in settings.webhooks.items():
        yield from _plain_secrets(f"webhooks.{name}.secrets", webhook.secrets)


def _plain_secrets(key: str, secrets: tuple[str, ...]) -> Iterator[str]:
    for place, secret in enumerate(secrets):
        if not SECRET.search(secret):
            yield f'{key}[{place}]: a secret stands in the file; put it into the environment and write "${{NAME}}"'


def _of_calendar(settings: InterventionSettings) -> Iterator[str]:
    zone, country = settings.calendar.timezone, settings.calendar.country
    yield from _hours("calendar.business_hours", settings.calendar.business_hours)
    if zone is not None:
        yield from _unknown("calendar.timezone", zone, available_timezones(), "")
    if country is not None:
        yield from _country(country)


def _hours(key: str, hours: str) -> Iterator[str]:
    from serving.interventions.declare.calendar import WorkingTime

    try:
        WorkingTime(Calendar(), hours)
    except ValueError as wrong:
        yield f'{key} = "{hours}": {wrong}'


def _country(code: str) -> Iterator[str]:
    import holidays

    country, _, part = code.partition("-")
    known = holidays.list_supported_countries()
    if country not in known:
        yield f'calendar.country = "{code}": no holidays are known of it; write one like "CN" or "DE-BY", or list days off in closed'
    elif part and part not in known[country]:
        parts = ", ".join(known[country]) or "none"
        yield f'calendar.country = "{code}": no such part of {country} is known; it has {parts}'


def _unknown(key: str, name: str, known: Collection[str], table: str) -> Iterator[str]:
    if name not in known:
        from serving.interventions.declare.expressions import nearest

        yield f'{key} = "{name}": there is none of that name; {nearest(name, sorted(known), _among(known, table))}'


def _among(known: Collection[str], table: str) -> str:
    if not table:
        return "write one of the IANA database, like Europe/Berlin"
    names = ", ".join(sorted(known))
    return f"name one of {names}, or add a table [{table}.NAME]" if names else f"add a table [{table}.NAME]"


def _short(condition: str) -> str:
    text = " ".join(condition.split())
    return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}..."'
