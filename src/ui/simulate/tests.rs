use super::*;
use crate::model::Name;

fn line(counts: &[(usize, usize)], wanted: u32) -> Line {
    let moment = |(at, (ready, routed)): (usize, &(usize, usize))| Moment {
        at: u64::try_from(at).unwrap_or(0) * 1_000,
        running: *ready,
        ready: *ready,
        routed: *routed,
        draining: 0,
    };
    Line {
        stack: Name::parse("shop").expect("a name").into(),
        service: ServiceName::new("web"),
        wanted: Some(wanted),
        moments: counts.iter().enumerate().map(moment).collect(),
    }
}

#[test]
fn a_service_without_a_proxy_serves_when_it_is_ready() {
    assert_eq!(line(&[(2, 0), (1, 0), (2, 0)], 2).least(), (1, "ready"));
}

#[test]
fn a_new_service_serves_from_its_first_replica_on_and_one_that_goes_until_its_last() {
    assert_eq!(line(&[(0, 0), (2, 2), (3, 3)], 3).least(), (2, "routed"));
    assert_eq!(line(&[(2, 2), (1, 1), (0, 0)], 0).least(), (1, "routed"));
    assert_eq!(line(&[(2, 2), (0, 0)], 2).least(), (0, "routed"));
}

#[test]
fn what_goes_wrong_is_told_with_how_to_see_it() {
    let what_if = vec![WhatIf {
        what: "shop/web/1 dies".to_owned(),
        fault: "dies=shop/web/1@500ms".to_owned(),
        tried: 3,
        least: vec![("shop/web".to_owned(), 1)],
        lost: None,
        ends: vec!["done".to_owned()],
        took: 9_000,
    }];
    let settings = vec![Setting {
        service: "shop/web".to_owned(),
        what: "parallelism=1".to_owned(),
        took: 9_900,
        least: 2,
        most: 3,
        ends: None,
    }];
    let timeline = Timeline {
        services: vec![line(&[(2, 2), (4, 2), (2, 2)], 2)],
        runs: vec!["done".to_owned()],
        took: 3_100,
        lost: Vec::new(),
        requests: Some(Requests { sent: 422, failed: 0 }),
    };
    let simulation = Simulation {
        from: "1111111 (HEAD~1)".to_owned(),
        to: "2222222".to_owned(),
        assumed: "No host was asked.".to_owned(),
        timeline,
        what_if,
        settings,
        ..Simulation::default()
    };
    insta::assert_snapshot!(text(&simulation, false), @r"
    Simulated from 1111111 (HEAD~1) to 2222222.

    shop/web  2 replicas
          time  running  ready  routed  draining
         0.0 s        2      2       2         0  ##
         1.0 s        4      4       2         0  ##++
         2.0 s        2      2       2         0  ##
      at least 2 routed at any time

          # routed  + ready  . not ready  ~ draining

    No request was lost by the rollout.
    422 requests sent, 0 failed.
    done, 3.1 s.

    What if, at any moment (3 rollouts with one fault each):
      if               tried  requests lost  serving at least  ends
      shop/web/1 dies  3      none           shop/web 1        done
    See one of them: gitdeploy simulate --fault dies=shop/web/1@500ms

    With other settings (--set):
      of        set            takes  serving at least  running at most
      shop/web  parallelism=1  9.9 s  2                 3

    No host was asked.
    Not modelled: the applications themselves (each is ready and ends as said above), what they say to
    each other, processors, memory, disks, packets, idle connections, names inside networks, the time
    that a pull takes.
    ");
}

#[test]
fn a_picture_escapes_what_it_says() {
    let lost = vec![Lost { at: 10, what: "a < b".to_owned() }];
    let timeline = Timeline { lost, took: 20, ..Timeline::default() };
    let picture = svg(&Simulation { timeline, ..Simulation::default() });
    assert!(picture.contains("<title>a &lt; b</title>"), "{picture}");
}
