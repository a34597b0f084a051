"""Allowed addresses: a webhook goes to an address of the internet, or inside the own network where the channel allows it.

The connection uses the checked address: a name that is resolved again could mean another address.
"""

import asyncio
import ipaddress
import socket
import ssl
from functools import cache

import httpx

from serving.interventions.deliver.secrets import ChannelUnusable

KEEP_SECONDS = 5.0
"""How long the addresses of a name are used before it is resolved again."""
PRIVATE = "is an address inside a network; `allow_private = true` of the channel allows it"
_IN_LAST_BITS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
"""Networks of IPv6 whose addresses end with an address of IPv4."""
_OF_A_SITE = tuple(map(ipaddress.ip_network, ("fec0::/10", "64:ff9b:1::/48")))
"""Networks that Python counts as global, and are not."""
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_url(url: str, allow_private: bool) -> httpx.URL:
    """The URL of a webhook; ChannelUnusable unless it is https, without user and password.

    http is allowed for receivers in the own network alone: facts about accounts do not cross the internet unencrypted.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        # The invalid part of the URL may be a secret.
        raise ChannelUnusable("its url is none") from None
    schemes = ("https", "http") if allow_private else ("https",)
    if parsed.scheme not in schemes or not parsed.host:
        raise ChannelUnusable(
            f"its url must begin with {' or '.join(f'{scheme}://' for scheme in schemes)} and name a host"
        )
    if parsed.userinfo:
        raise ChannelUnusable("its url holds a user or a password; signatures say who we are")
    return parsed


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet: neither private, loopback, link-local, multicast nor reserved."""
    return all(map(_is_of_internet, _addresses_meant(ipaddress.ip_address(address))))


def _is_of_internet(address: _Address) -> bool:
    return address.is_global and not address.is_multicast and not any(address in network for network in _OF_A_SITE)


def _addresses_meant(address: _Address) -> list[_Address]:
    """The address, and the IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    inner = [address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _IN_LAST_BITS):
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return [address, *(address for address in inner if address is not None)]


def allowed_addresses(addresses: list[str], allow_private: bool) -> list[str]:
    """The addresses of a host; ChannelUnusable if one of them is not allowed."""
    for address in addresses if not allow_private else ():
        if not is_public(address):
            raise ChannelUnusable(f"{address} {PRIVATE}")
    return addresses


def resolve(host: str, port: int) -> list[str]:
    """The IP addresses of a host; ChannelUnusable if there is none."""
    try:
        records = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ChannelUnusable(f"the host {host} is not known") from None
    return list(dict.fromkeys(str(record[4][0]) for record in records))


class GuardedTransport(httpx.AsyncBaseTransport):
    """Connects to the checked addresses of the request's host, in turn. Each request has its own connection.

    On a reused connection a second answer of the receiver would be taken for the answer to the next message.
    """

    def __init__(self, allow_private: bool, connections: int) -> None:
        self._allow_private = allow_private
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(verify=_trusted_authorities(), limits=limits, trust_env=False)
        self._kept: tuple[float, list[str]] = (float("-inf"), [])

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer of the first address that accepts a connection. ChannelUnusable, errors of httpx."""
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
    """The request to an address; the header Host and TLS still have the name of the host."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )


@cache
def _trusted_authorities() -> ssl.SSLContext:
    # Reading the certificate authorities takes longer than sending a message.
    return httpx.create_ssl_context(trust_env=False)
