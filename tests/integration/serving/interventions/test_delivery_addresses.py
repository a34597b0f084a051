"""Where messages may go: the internet, by an address that was checked, whatever a name or a number pretends to be."""

import asyncio
import ipaddress
import socket
import ssl

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outbox_messages import NOON, put, told, webhook
from receiving import receiver

from serving.interventions.deliver import addresses
from serving.interventions.deliver.addresses import GuardedTransport, allowed_addresses, is_public, resolve
from serving.interventions.deliver.dispatch import dispatch_once
from serving.interventions.deliver.secrets import ChannelUnusable

NOT_OURS = [
    "http://0x7f.1", "http://2130706433", "http://017700000001", "http://127.1", "http://localhost", "http://[::1]",
    "http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]", "http://0", "http://[::]", "http://10.1.2.3",
    "http://192.168.0.1", "http://172.16.0.1", "http://169.254.169.254", "http://[fe80::1]", "http://[fc00::1]",
    "http://100.64.0.1", "http://224.0.0.1", "http://[64:ff9b::7f00:1]", "http://[2002:7f00:1::]", "http://255.255.255.255",
    "http://127.0.0.1.", "http://LOCALHOST", "http://[fec0::1]", "http://[64:ff9b:1::808:808]",
]  # fmt: skip


@pytest.mark.parametrize("url", NOT_OURS)
def test__an_address_inside_a_network__is_refused_however_it_is_written(url):
    host = httpx.URL(url).host
    try:
        found = resolve(host, 443)
    except ChannelUnusable:  # nobody is reached by a host that is not known
        return
    with pytest.raises(ChannelUnusable, match="is an address inside a network"):
        allowed_addresses(found, allow_private=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test__an_address_of_the_internet__is_not(address):
    assert is_public(address)


PRIVATE = [ipaddress.ip_network(each) for each in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16")]


@settings(deadline=None)
@given(st.sampled_from(PRIVATE), st.integers(0, 65_535))
def test__private_addresses__are_private_in_each_of_ipv6s_ways(network, number):
    inner = network[number]
    for written in (
        f"::ffff:{inner}",
        f"64:ff9b::{inner}",
        f"::{inner}",
        f"::ffff:0:{inner}",
        f"2002:{int(inner) >> 16:x}:{int(inner) & 0xFFFF:x}::1",
    ):
        assert not is_public(written)


def test__one_private_address_among_others__is_enough_to_refuse():
    with pytest.raises(ChannelUnusable, match=r"10\.0\.0\.1 is an address inside a network"):
        allowed_addresses(["8.8.8.8", "10.0.0.1"], allow_private=False)


def test__a_webhook_inside_the_network__gets_nothing(database):
    put(database, "crm")
    with receiver() as crm:
        url = crm.url.replace("http://127.0.0.1", "https://0x7f.1")
        closed = webhook(url).model_copy(update={"allow_private": False})
        assert dispatch_once(database, told(crm=closed), {}, lambda: NOON).again == 1
    assert crm.requests == []


def test__a_name_that_means_another_address_the_second_time__is_connected_to_at_the_first(monkeypatch):
    """DNS rebinding: what is checked is what is used."""
    asked = []

    def resolve(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    monkeypatch.setattr(addresses, "resolve", resolve)
    with receiver() as crm:
        answer = run(post(f"http://crm.example:{crm.server.server_port}/hook"))
    ((headers, *_),) = crm.requests
    assert answer.status_code == 200
    assert headers["Host"] == f"crm.example:{crm.server.server_port}"
    assert asked == ["crm.example"]


def test__an_address_that_does_not_answer__gives_way_to_the_next(monkeypatch):
    monkeypatch.setattr(addresses, "resolve", lambda host, port: ["127.0.0.9", "127.0.0.1"])
    with receiver() as crm:
        assert run(post(f"http://crm.example:{crm.server.server_port}/hook")).status_code == 200


def test__tls__asks_for_the_name_and_not_for_the_address(monkeypatch):
    """What a server sees of the name in the first message of TLS."""
    monkeypatch.setattr(addresses, "resolve", lambda host, port: ["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://crm.example:{listening.getsockname()[1]}/hook"
        run(failing(post(url, 1)))
        accepted, _ = listening.accept()
        with accepted:
            assert b"crm.example" in accepted.recv(4096)


async def post(url, seconds=20):
    async with httpx.AsyncClient(
        transport=GuardedTransport(allow_private=True, connections=1), timeout=seconds
    ) as client:
        return await client.post(url, content=b"{}")


async def failing(call):
    with pytest.raises((httpx.TransportError, ssl.SSLError)):
        await call


def run(call):
    return asyncio.run(call)
