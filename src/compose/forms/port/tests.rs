//! Tables of what ports in the short form mean, one for each claim.

use proptest::prelude::*;

use super::*;

/// The ports of `text` as `address|published|target/protocol`.
fn read(text: &str) -> Vec<String> {
    let found = ports(text).unwrap_or_else(|fault| panic!("{text:?}: {fault}"));
    found.iter().map(shown).collect()
}

fn shown(port: &Port) -> String {
    let Port { host_ip, target, published, protocol } = port;
    let text = |part: &Option<String>| part.clone().unwrap_or_else(|| "-".to_owned());
    format!("{}|{}|{target}/{}", text(host_ip), text(published), protocol.as_str())
}

fn expect(table: &[(&str, &[&str])]) {
    for (text, expected) in table {
        assert_eq!(&read(text), expected, "{text:?}");
    }
}

#[test]
fn one_port_has_up_to_three_parts() {
    expect(&[
        ("80", &["-|-|80/tcp"]),
        ("8080:80", &["-|8080|80/tcp"]),
        (":80", &["-|-|80/tcp"]),
        ("::80", &["-|-|80/tcp"]),
        ("127.0.0.1:8080:80", &["127.0.0.1|8080|80/tcp"]),
        ("127.0.0.1::80", &["127.0.0.1|-|80/tcp"]),
        ("0.0.0.0:80:80", &["0.0.0.0|80|80/tcp"]),
        (":8080:80", &["-|8080|80/tcp"]),
        ("0", &["-|-|0/tcp"]),
        ("0:80", &["-|0|80/tcp"]),
        ("65535:65535", &["-|65535|65535/tcp"]),
        ("0080:0080", &["-|80|80/tcp"]),
        ("+80", &["-|-|80/tcp"]),
        ("+8080:+80", &["-|8080|80/tcp"]),
    ]);
}

#[test]
fn the_protocol_is_tcp_unless_said() {
    expect(&[
        ("53/tcp", &["-|-|53/tcp"]),
        ("53/udp", &["-|-|53/udp"]),
        ("53/sctp", &["-|-|53/sctp"]),
        ("53/UDP", &["-|-|53/udp"]),
        ("53/Tcp", &["-|-|53/tcp"]),
        ("53/", &["-|-|53/tcp"]),
        ("5353:53/udp", &["-|5353|53/udp"]),
        ("127.0.0.1:5353:53/udp", &["127.0.0.1|5353|53/udp"]),
    ]);
}

#[test]
fn addresses_of_ipv6_may_have_brackets() {
    expect(&[
        ("[::1]:8080:80", &["::1|8080|80/tcp"]),
        ("::1:8080:80", &["::1|8080|80/tcp"]),
        ("[::]::80", &["::|-|80/tcp"]),
        (":::8080:80", &["::|8080|80/tcp"]),
        ("[fd00::7]:53:53/udp", &["fd00::7|53|53/udp"]),
        ("[::ffff:10.0.0.1]:80:80", &["::ffff:10.0.0.1|80|80/tcp"]),
        ("[FD00::7]:80:80", &["FD00::7|80|80/tcp"]),
        ("[10.0.0.1]:80:80", &["10.0.0.1|80|80/tcp"]),
        ("[]:80:80", &["-|80|80/tcp"]),
    ]);
}

#[test]
fn a_range_gives_a_port_for_each_number() {
    expect(&[
        ("3000-3002", &["-|-|3000/tcp", "-|-|3001/tcp", "-|-|3002/tcp"]),
        ("3000-3001:4000-4001", &["-|3000|4000/tcp", "-|3001|4001/tcp"]),
        ("10.0.0.1:3000-3001:4000-4001/udp", &["10.0.0.1|3000|4000/udp", "10.0.0.1|3001|4001/udp"]),
        ("80-80", &["-|-|80/tcp"]),
        ("80-80:80", &["-|80|80/tcp"]),
        ("80:80-080", &["-|80|80/tcp"]),
        ("65534-65535", &["-|-|65534/tcp", "-|-|65535/tcp"]),
    ]);
}

#[test]
fn the_ports_of_a_range_are_sorted_as_text() {
    expect(&[
        ("9-11", &["-|-|10/tcp", "-|-|11/tcp", "-|-|9/tcp"]),
        ("99-100:8-9", &["-|99|8/tcp", "-|100|9/tcp"]),
        ("1-2:99-100", &["-|2|100/tcp", "-|1|99/tcp"]),
    ]);
}

#[test]
fn one_port_may_have_a_range_of_the_host_to_choose_from() {
    expect(&[
        ("8000-8010:80", &["-|8000-8010|80/tcp"]),
        ("127.0.0.1:8000-8010:80/udp", &["127.0.0.1|8000-8010|80/udp"]),
        ("08000-8010:80-80", &["-|8000-8010|80/tcp"]),
    ]);
}

#[test]
fn a_range_may_span_all_ports() {
    let all = ports("0-65535:0-65535").unwrap();
    assert_eq!(all.len(), 65536);
    assert!(all.iter().all(|port| port.published == Some(port.target.to_string())));
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    let number = |text: &str| PortProblem::BadNumber { number: text.to_owned() };
    let outside = |text: &str| PortProblem::OutOfRange { number: text.to_owned() };
    let address = |text: &str| PortProblem::BadAddress { address: text.to_owned() };
    let protocol = |text: &str| PortProblem::UnknownProtocol { protocol: text.to_owned() };
    let unequal = |host, container| PortProblem::UnequalRanges { host, container };
    for (text, kind, range) in [
        ("", PortProblem::NoContainerPort, 0..0),
        ("8080:", PortProblem::NoContainerPort, 5..5),
        ("/tcp", PortProblem::NoContainerPort, 0..4),
        ("80:/udp", PortProblem::NoContainerPort, 3..7),
        ("http", number("http"), 0..4),
        ("80a", number("80a"), 0..3),
        (" 80", number(" 80"), 0..3),
        ("80:8O", number("8O"), 3..5),
        ("x:80", number("x"), 0..1),
        ("8_0", number("8_0"), 0..3),
        ("80-", number(""), 3..3),
        ("-80", number(""), 0..0),
        ("1-2-3", number("2-3"), 2..5),
        ("é:80", number("é"), 0..2),
        ("65536", outside("65536"), 0..5),
        ("70000:80", outside("70000"), 0..5),
        ("80:70000", outside("70000"), 3..8),
        ("1-70000", outside("70000"), 2..7),
        ("99999999999999999999", outside("99999999999999999999"), 0..20),
        ("80--1", outside("-1"), 3..5),
        ("90-80", PortProblem::Backwards, 0..5),
        ("90-80:1-2", PortProblem::Backwards, 0..5),
        ("1-3:1-2", unequal(3, 2), 0..7),
        ("80:1-2", unequal(1, 2), 0..6),
        ("127.0.0.1:1:1-2", unequal(1, 2), 10..15),
        ("80/http", protocol("http"), 3..7),
        ("80/tcp/udp", protocol("tcp/udp"), 3..10),
        ("80/tcp ", protocol("tcp "), 3..7),
        ("localhost:80:80", address("localhost"), 0..9),
        ("1.2.3:80:80", address("1.2.3"), 0..5),
        ("01.2.3.4:80:80", address("01.2.3.4"), 0..8),
        ("1.2.3.256:80:80", address("1.2.3.256"), 0..9),
        ("[::1:80:80", address("[::1"), 0..4),
        ("::1]:80:80", address("::1]"), 0..4),
        ("[fe80::1%eth0]:80:80", address("[fe80::1%eth0]"), 0..14),
        ("1:2:3:4", address("1:2"), 0..3),
    ] {
        assert_eq!(ports(text), Err(Fault::new(kind, range)), "{text:?}");
    }
}

#[test]
fn problems_read_as_sentences() {
    let say = |text| ports(text).unwrap_err().to_string();
    insta::assert_snapshot!(say("3000-3005:4000-4002"), @"6 host ports cannot be mapped to 3 container ports");
    insta::assert_snapshot!(say("80/http"), @"`http` is not a protocol: expected `tcp`, `udp` or `sctp`");
    insta::assert_snapshot!(say("http:80"), @"`http` is not a port number");
}

proptest! {
    #[test]
    fn what_is_written_out_reads_back(
        ip in prop::option::of(any::<std::net::IpAddr>()),
        published in prop::option::of(any::<u16>()),
        target in any::<u16>(),
        protocol in prop::sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]),
    ) {
        let host = published.map(|port| port.to_string());
        let address = ip.map(|ip| format!("[{ip}]")).unwrap_or_default();
        let text = format!("{address}:{}:{target}/{}", host.clone().unwrap_or_default(), protocol.as_str());
        let host_ip = ip.map(|ip| ip.to_string());
        prop_assert_eq!(ports(&text), Ok(vec![Port { host_ip, target, published: host, protocol }]));
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place(text in "(\\[|\\]|[0-9]{1,5}|[-:/.+ a-zé]|::1|/udp){0,10}") {
        if let Err(fault) = ports(&text) {
            prop_assert!(text.get(fault.range).is_some());
        }
    }

    #[test]
    fn no_text_at_all_breaks_it(text in "\\PC*") {
        if let Err(fault) = ports(&text) {
            prop_assert!(text.get(fault.range).is_some());
        }
    }
}
