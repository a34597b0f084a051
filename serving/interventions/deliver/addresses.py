"""Where a message may go: an address of the internet, unless the channel allows those inside the own network.

The address that was checked is the one that is connected to. A name that is resolved again in between could mean another.
"""

import asyncio
import ipaddress
import socket
import ssl
from functools import cache

import httpx

from serving.interventions.deliver.secrets import ChannelUnusable

KEEP_SECONDS = 5.0
"""How long a name's addresses are used without asking again."""
PRIVATE = "is an address inside a network; `allow_private = true` of the channel allows it"
_IN_LAST_BITS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
"""Networks of IPv6 whose addresses end with the one of IPv4 that they stand for."""
_OF_A_SITE = tuple(map(ipaddress.ip_network, ("fec0::/10", "64:ff9b:1::/48")))
"""What Python counts among the addresses of the internet, and is none."""
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_url(url: str, allow_private: bool) -> httpx.URL:
    """The URL of a webhook; ChannelUnusable unless it is one of https, without user and password in it.

    http is for receivers in the own network alone: what is told of accounts does not cross the internet in the open.
    """
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL:
        # What is wrong in it may be a part of a secret.
        raise ChannelUnusable("its url is none") from None
    schemes = ("https", "http") if allow_private else ("https",)
    if read.scheme not in schemes or not read.host:
        raise ChannelUnusable(
            f"its url must begin with {' or '.join(f'{scheme}://' for scheme in schemes)} and name a host"
        )
    if read.userinfo:
        raise ChannelUnusable("its url holds a user or a password; signatures say who we are")
    return read


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet: neither private, loopback, link-local, multicast nor reserved."""
    return all(map(_is_of_internet, _addresses_meant(ipaddress.ip_address(address))))


def _is_of_internet(address: _Address) -> bool:
    return address.is_global and not address.is_multicast and not any(address in network for network in _OF_A_SITE)


def _addresses_meant(address: _Address) -> list[_Address]:
    """The address, and the IPv4 addresses that it stands for in one of IPv6's ways to write them."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    inner = [address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _IN_LAST_BITS):
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return [address, *(each for each in inner if each is not None)]


def allowed_addresses(addresses: list[str], allow_private: bool) -> list[str]:
    """The addresses of a host; ChannelUnusable if one of them may not be connected to."""
    for address in addresses if not allow_private else ():
        if not is_public(address):
            raise ChannelUnusable(f"{address} {PRIVATE}")
    return addresses


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host, however it is written; ChannelUnusable if there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ChannelUnusable(f"the host {host} is not known") from None
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class GuardedTransport(httpx.AsyncBaseTransport):
    """Connects to the checked addresses of the host that is asked for, in turn. Each request has a connection of its own.

    On one that is used again, what a receiver says twice would be taken for its answer to the next message: delivered, though
    it was refused.
    """

    def __init__(self, allow_private: bool, connections: int) -> None:
        self._allow_private = allow_private
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(verify=_trusted_authorities(), limits=limits, trust_env=False)
        self._kept: tuple[float, list[str]] = (float("-inf"), [])

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer of the first address that can be connected to. ChannelUnusable, and what httpx raises."""
        *others, last = await self._addresses(request.url)
        for address in others:
            try:
                return await self._inner.handle_async_request(_request_to(address, request))
            except httpx.ConnectError:  # nothing was sent yet
                continue
        return await self._inner.handle_async_request(_request_to(last, request))

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()

    async def _addresses(self, url: httpx.URL) -> list[str]:
        now = asyncio.get_running_loop().time()
        if now - self._kept[0] > KEEP_SECONDS:
            port = url.port or (443 if url.scheme == "https" else 80)
            found = await asyncio.to_thread(resolve, url.host, port)
            self._kept = now, allowed_addresses(found, self._allow_private)
        return self._kept[1]


def _request_to(address: str, request: httpx.Request) -> httpx.Request:
    """The request to an address, which still says whom it means: in its header Host, and where TLS asks for a name."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )


@cache
def _trusted_authorities() -> ssl.SSLContext:
    # To read the authorities takes longer than to send a message.
    return httpx.create_ssl_context(trust_env=False)
