//! Tables of what volumes in the short form mean, one for each claim.

use proptest::prelude::*;

use super::*;

/// The mount as `kind source -> target` and whatever else is set.
fn read(text: &str) -> String {
    let mount = volume(text).unwrap_or_else(|fault| panic!("{text:?}: {fault}"));
    let Mount { kind, source, target, read_only, bind, volume, ignored } = mount;
    let part = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
    let mut shown = vec![format!("{} {} -> {}", kind.as_str(), part(source), part(target))];
    shown.extend(read_only.then(|| "ro".to_owned()));
    shown.extend(bind.map(|bind| {
        let BindOptions { propagation, selinux, create_host_path } = bind;
        let create = if create_host_path { "+" } else { "" };
        let propagation = propagation.map_or("", Propagation::as_str);
        format!("bind{create}({propagation},{})", selinux.map_or("", SeLinux::as_str))
    }));
    shown.extend(
        volume.map(|VolumeOptions { nocopy }| {
            format!("volume({})", if nocopy { "nocopy" } else { "" })
        }),
    );
    shown.extend((!ignored.is_empty()).then(|| format!("ignored{ignored:?}")));
    shown.join(" ")
}

fn expect(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(&read(text), expected, "{text:?}");
    }
}

#[test]
fn one_part_is_an_anonymous_volume() {
    expect(&[
        ("/data", "volume - -> /data volume()"),
        ("data", "volume - -> data volume()"),
        ("./data", "volume - -> data volume()"),
        ("C:\\data", "volume - -> C:\\data volume()"),
        ("c:/data", "volume - -> c:/data volume()"),
    ]);
}

#[test]
fn a_text_of_one_or_two_bytes_is_not_looked_into() {
    expect(&[
        ("/", "volume - -> /"),
        ("/d", "volume - -> /d"),
        ("a", "volume - -> a"),
        ("a:", "volume - -> a:"),
        (":", "volume - -> :"),
        ("::", "volume - -> ::"),
        ("é", "volume - -> é"),
        ("./", "volume - -> ."),
    ]);
}

#[test]
fn a_name_is_a_volume() {
    expect(&[
        ("data:/var/lib/db", "volume data -> /var/lib/db volume()"),
        ("my_data-1:/x", "volume my_data-1 -> /x volume()"),
        ("a/b:/x", "volume a/b -> /x volume()"),
        ("$HOME:/x", "volume $HOME -> /x volume()"),
        ("données:/x", "volume données -> /x volume()"),
        ("1:/x", "volume 1 -> /x volume()"),
    ]);
}

#[test]
fn a_path_is_a_bind() {
    expect(&[
        ("/srv:/x", "bind /srv -> /x bind+(,)"),
        ("./srv:/x", "bind ./srv -> /x bind+(,)"),
        ("../srv:/x", "bind ../srv -> /x bind+(,)"),
        (".:/x", "bind . -> /x bind+(,)"),
        (".env:/x", "bind .env -> /x bind+(,)"),
        ("~:/x", "bind ~ -> /x bind+(,)"),
        ("~/srv:/x", "bind ~/srv -> /x bind+(,)"),
        ("~me/srv:/x", "bind ~me/srv -> /x bind+(,)"),
        ("/a/../b/:/x", "bind /a/../b/ -> /x bind+(,)"),
    ]);
}

#[test]
fn a_letter_and_a_colon_are_a_drive() {
    expect(&[
        ("C:\\srv:/x", "bind C:\\srv -> /x bind+(,)"),
        ("c:/srv:/x:ro", "bind c:/srv -> /x ro bind+(,)"),
        ("C:\\srv:D:\\x", "bind C:\\srv -> D:\\x bind+(,)"),
        ("data:D:\\x:ro", "volume data -> D:\\x ro volume()"),
        (
            "\\\\.\\pipe\\docker:\\\\.\\pipe\\docker",
            "bind \\\\.\\pipe\\docker -> \\\\.\\pipe\\docker bind+(,)",
        ),
        ("é:/srv:/x", "bind é:/srv -> /x bind+(,)"),
        ("a:/x", "volume - -> a:/x volume()"),
        ("/a:b:/x", "bind /a -> b:/x bind+(,)"),
    ]);
}

#[test]
fn targets_are_cleaned() {
    expect(&[
        ("data:/x/", "volume data -> /x volume()"),
        ("data:/x/../y//z", "volume data -> /y/z volume()"),
        ("data:/..", "volume data -> / volume()"),
        ("data:x/..", "volume data -> . volume()"),
        ("data:../x", "volume data -> ../x volume()"),
        ("//x/./y", "volume - -> /x/y volume()"),
    ]);
}

#[test]
fn options_are_set() {
    expect(&[
        ("data:/x:ro", "volume data -> /x ro volume()"),
        ("data:/x:rw", "volume data -> /x volume()"),
        ("data:/x:ro,rw", "volume data -> /x volume()"),
        ("data:/x:rw,ro", "volume data -> /x ro volume()"),
        ("data:/x:nocopy", "volume data -> /x volume(nocopy)"),
        ("data:/x:ro,nocopy", "volume data -> /x ro volume(nocopy)"),
        ("./d:/x:z", "bind ./d -> /x bind+(,z)"),
        ("./d:/x:Z", "bind ./d -> /x bind+(,Z)"),
        ("./d:/x:z,Z", "bind ./d -> /x bind+(,Z)"),
        ("./d:/x:ro,z", "bind ./d -> /x ro bind+(,z)"),
        ("./d:/x:private", "bind ./d -> /x bind+(private,)"),
        ("./d:/x:rprivate", "bind ./d -> /x bind+(rprivate,)"),
        ("./d:/x:shared", "bind ./d -> /x bind+(shared,)"),
        ("./d:/x:rshared", "bind ./d -> /x bind+(rshared,)"),
        ("./d:/x:slave", "bind ./d -> /x bind+(slave,)"),
        ("./d:/x:rslave", "bind ./d -> /x bind+(rslave,)"),
        ("./d:/x:ro,Z,rslave", "bind ./d -> /x ro bind+(rslave,Z)"),
    ]);
}

#[test]
fn options_of_the_other_kind_are_set_as_well() {
    expect(&[
        ("data:/x:z", "volume data -> /x bind(,z) volume()"),
        ("data:/x:rslave,nocopy", "volume data -> /x bind(rslave,) volume(nocopy)"),
        ("./d:/x:nocopy", "bind ./d -> /x bind+(,) volume(nocopy)"),
    ]);
}

#[test]
fn unknown_options_are_passed_over_and_told() {
    expect(&[
        ("data:/x:cached", "volume data -> /x volume()"),
        ("data:/x:delegated,ro,consistent", "volume data -> /x ro volume()"),
        ("data:/x:foo", "volume data -> /x volume() ignored[8..11]"),
        ("data:/x:RO", "volume data -> /x volume() ignored[8..10]"),
        ("data:/x:ro, z", "volume data -> /x ro volume() ignored[11..13]"),
        ("data:/x:,ro,", "volume data -> /x ro volume() ignored[8..8, 12..12]"),
        ("data:/x:é,ro,noexec", "volume data -> /x ro volume() ignored[8..10, 14..20]"),
    ]);
}

#[test]
fn colons_within_variables_do_not_part() {
    expect(&[
        ("${A:-b}:/x", "volume ${A:-b} -> /x volume()"),
        ("./${A:-b:c}:/x:ro", "bind ./${A:-b:c} -> /x ro bind+(,)"),
        ("data:${T:-/x}", "volume data -> ${T:-/x} volume()"),
        ("${A:-${B:-c}}:/x", "volume ${A:-${B:-c}} -> /x volume()"),
        ("data:${T:-/x", "volume data -> - volume()"),
    ]);
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    for (text, kind, range) in [
        ("", VolumeProblem::Empty, 0..0),
        (":/x", VolumeProblem::EmptySection, 0..0),
        ("data:", VolumeProblem::EmptySection, 5..5),
        ("data:/x:", VolumeProblem::EmptySection, 8..8),
        ("data::ro", VolumeProblem::EmptySection, 5..5),
        (":::", VolumeProblem::EmptySection, 0..0),
        ("/a:/b:ro:rw", VolumeProblem::TooManyColons, 8..11),
        ("é1:/b:ro:x", VolumeProblem::TooManyColons, 9..11),
        ("data:/x:ro:", VolumeProblem::TooManyColons, 10..11),
    ] {
        assert_eq!(volume(text), Err(Fault::new(kind, range)), "{text:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_out_reads_back(
        source in "[./~]?[a-z][a-z0-9]{1,6}",
        target in "(/[a-z]{1,4}){1,3}",
        read_only in any::<bool>(),
        label in prop::sample::select(vec![None, Some(SeLinux::Shared), Some(SeLinux::Private)]),
        way in prop::option::of(prop::sample::select(Propagation::ALL.to_vec())),
        nocopy in any::<bool>(),
    ) {
        let mut options = vec![if read_only { "ro" } else { "rw" }];
        options.extend(label.map(SeLinux::as_str));
        options.extend(way.map(Propagation::as_str));
        options.extend(nocopy.then_some("nocopy"));
        let mount = volume(&format!("{source}:{target}:{}", options.join(","))).unwrap();
        prop_assert_eq!((mount.source, mount.target), (Some(source), Some(target)));
        prop_assert_eq!(mount.read_only, read_only);
        prop_assert_eq!(mount.bind.clone().and_then(|bind| bind.selinux), label);
        prop_assert_eq!(mount.bind.and_then(|bind| bind.propagation), way);
        prop_assert_eq!(mount.volume.is_some_and(|volume| volume.nocopy), nocopy);
        prop_assert!(mount.ignored.is_empty());
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place(text in "(\\$\\{|[:}{,./~\\\\aé\0]|ro|[a-z]{1,4}){0,12}") {
        match volume(&text) {
            Ok(mount) => {
                prop_assert!(mount.ignored.into_iter().all(|range| text.get(range).is_some()));
            }
            Err(fault) => prop_assert!(text.get(fault.range).is_some()),
        }
    }
}
