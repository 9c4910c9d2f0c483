from ipaddress import ip_address, ip_network

import pytest

from records.errors import InvalidError
from records.receivers import NotPublicError, Receivers

_OURS = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "198.18.0.1"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1", "5f00::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::169.254.169.254", "64:ff9b:1::808:808"),
    *(
        "2002:7f00:1::",
        "2002:808:808::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:20::1",
        "2001:db8::1",
        "3fff::1",
    ),
]
_PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00:1450:4001::1"]
_PUBLIC_IN_DISGUISE = ["::ffff:8.8.8.8", "64:ff9b::808:808"]


class TestAddresses:
    @pytest.mark.parametrize("text", _OURS)
    def test_that_are_not_public_are_refused(self, text: str):
        with pytest.raises(NotPublicError, match="PRETEXT_WEBHOOK_PRIVATE_NETWORKS"):
            Receivers().check(ip_address(text))

    @pytest.mark.parametrize("text", [*_PUBLIC, *_PUBLIC_IN_DISGUISE])
    def test_that_are_public_are_not(self, text: str):
        Receivers().check(ip_address(text))

    def test_of_allowed_networks_are_not_refused_whatever_they_look_like(self):
        rules = Receivers(networks=[ip_network("10.1.0.0/16"), ip_network("fd12::/48")])
        for text in ("10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "fd12::9"):
            rules.check(ip_address(text))
        for text in ("10.2.0.1", "127.0.0.1", "fd12:0:1::9", "::1"):
            with pytest.raises(NotPublicError):
                rules.check(ip_address(text))


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "told"),
        [
            ("http://example.org/", "https://"),
            ("ftp://example.org/", "https://"),
            ("example.org", "https://"),
            ("https://", "host name"),
            ("https://user:password@example.org/", "user name"),
            ("https://@example.org/", "user name"),
            ("https://example.org/#here", "fragment"),
            ("https://example.org/#", "fragment"),
            ("https://example.org:0/", "port"),
            ("https://example.org:99999/", "Port"),
            ("https://example.org/a b", "characters"),
            ("https://example.org/\r\nHost: x", "characters"),
            ("https://exam\tple.org/", "characters"),
            ("https://example.org\\@127.0.0.1/", "characters"),
            ("https://bücher.example/", "punycode"),
            ("https://exa mple.org", "characters"),
            ("https://-example.org/", "host name"),
            ("https://example..org/", "host name"),
            ("https://127.0.0.1/", "not public"),
            ("https://[::1]/", "not public"),
            ("https://[::ffff:127.0.0.1]:8443/", "not public"),
            ("https://[::1", "no address"),
            ("https://2130706433/", "IPv4"),
            ("https://0x7f.1/", "IPv4"),
            ("https://127.1/", "IPv4"),
            ("https://0177.0.0.1/", "IPv4"),
            ("https://127.0.0.1./", "IPv4"),
        ],
    )
    def test_that_lead_nowhere_good_are_refused(self, url: str, told: str):
        with pytest.raises(InvalidError, match=told) as error:
            Receivers().target(url)
        assert error.value.param == "url"

    def test_are_taken_apart(self):
        target = Receivers().target("https://Example.org:8443/in?to=x%20y")
        assert (target.secure, target.host, target.port, target.path) == (True, "example.org", 8443, "/in?to=x%20y")
        assert target.authority == "example.org:8443"
        assert Receivers().target("https://[2a00::1]").authority == "[2a00::1]"

    def test_without_tls_are_for_those_who_say_so(self):
        target = Receivers(http=True).target("http://example.org")
        assert (target.secure, target.port, target.path, target.authority) == (False, 80, "/", "example.org")
