"""Messages to people by mail and chat, through Apprise. Readers cannot recognise a repeated message by its id: at least once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving.interventions.declare.settings import Channel
from serving.interventions.deliver.addresses import allowed_addresses, resolve
from serving.interventions.deliver.attempt import SUCCESS, DeliveryResult
from serving.interventions.deliver.message_texts import MOST_TOGETHER, Text
from serving.interventions.deliver.secrets import ChannelUnusable, Environment

AT_ONCE = 4
"""Messages of one channel under way at the same time."""
SECONDS = 20.0
BYTES_EACH = 300
"""The approximate size of one message in a text of several."""
OF_THIS_MACHINE = {"dbus", "qt", "glib", "kde", "gnome", "macosx", "windows", "syslog", "blink1"}
"""Schemes of Apprise that show messages on this machine: nobody watches a server's screen."""


class PeopleChannel:
    """The sender of one channel of people. ChannelUnusable where its declaration cannot be used."""

    def __init__(self, channel: Channel, environment: Environment) -> None:
        self._environment = environment
        self._allow_private = channel.allow_private
        self._url = environment.filled(channel.url)
        plugin = _plugin(self._url)
        self.together = max(1, min(MOST_TOGETHER, plugin.body_maxlen // BYTES_EACH))
        """The most messages in one text."""
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="people")

    async def send(self, text: Text) -> DeliveryResult:
        """One attempt and its result; raises nothing."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._sent, text)

    async def close(self) -> None:
        """End the threads without waiting."""
        self._threads.shutdown(wait=False)

    def _sent(self, text: Text) -> DeliveryResult:
        plugin = _plugin(self._url)
        try:
            _check_hosts(plugin, self._allow_private)
        except ChannelUnusable as refused:
            return DeliveryResult(str(refused))
        answer = notify(plugin, text)
        return (
            answer
            if answer.problem is None
            else DeliveryResult(self._environment.hidden(answer.problem), quiet=answer.quiet)
        )


def notify(plugin: Any, text: Text) -> DeliveryResult:
    """Send a text through a plugin of Apprise."""
    from apprise import Apprise, NotifyFormat

    # A new sender for each text: Apprise would wait between two texts, and the channel has its own rate limit.
    sender = Apprise()
    sender.add(plugin)
    result = sender.notify(text.body, title=text.title, body_format=NotifyFormat.TEXT, timeout=SECONDS)
    if result:
        return SUCCESS
    answer: DeliveryResult = getattr(plugin, "answer", SUCCESS)
    said = [entry.message for entry in result.logs()]
    return answer if answer.problem else DeliveryResult(said[-1] if said else f"{plugin.service_name} did not take it")


def _plugin(url: str) -> Any:
    from apprise import Apprise, AppriseAsset

    from serving.interventions.deliver.chat_bots import CHAT_BOTS, with_result

    scheme = url.partition("://")[0].lower()
    if scheme in OF_THIS_MACHINE:
        raise ChannelUnusable(f"{scheme}:// shows something on this machine, where nobody looks; name a mail or a chat")
    asset = AppriseAsset(http_redirects=False, secure_logging=True)
    plugin = Apprise.instantiate(url, asset=asset)
    if plugin is None:
        raise ChannelUnusable(
            f"its url is none that Apprise knows ({scheme}://...); docs/guides/delivery.md has examples"
        )
    return with_result(plugin) if scheme in CHAT_BOTS else plugin


def _check_hosts(plugin: Any, allow_private: bool) -> None:
    """ChannelUnusable if a host in the URL (not one fixed by the plugin) is inside a private network.

    Apprise resolves the name once more when it connects: against a name that changes in between this is no protection.
    """
    names_host = any("{host}" in template for template in plugin.templates)
    host = getattr(plugin, "smtp_host", None) or (plugin.host if names_host else None)
    if host and not allow_private:
        allowed_addresses(resolve(host, plugin.port or 0), allow_private)
