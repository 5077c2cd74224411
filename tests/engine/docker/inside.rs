//! Commands and files in containers.

use gitdeploy::adapters::docker::Docker;
use gitdeploy::ports::{Engine, PortError};

use super::world::World;

/// A container that runs and its name.
async fn running(case: &str) -> (World, String) {
    let world = World::new(case);
    let replica = world.replica("a", "while true; do sleep 0.1; done");
    world.docker.create(&replica, &[]).await.unwrap();
    world.docker.start(&replica.name).await.unwrap();
    let name = replica.name.clone();
    (world, name)
}

#[tokio::test]
async fn a_command_gets_its_input_whole_and_gives_both_outputs() {
    let (world, name) = running("exec").await;
    let input = vec![b'x'; 3 << 20];
    let argv = ["sh", "-c", "cat; echo bad >&2; exit 7"];
    let end = world.docker.exec(&name, &argv, Some(&input)).await.unwrap();
    assert_eq!((end.code, end.stderr.as_slice()), (7, b"bad\n".as_slice()));
    assert!(end.stdout == input, "{} bytes came back", end.stdout.len());
}

#[tokio::test]
async fn a_command_that_reads_nothing_is_no_error() {
    let (world, name) = running("deaf-exec").await;
    let input = vec![b'x'; 3 << 20];
    let end = world.docker.exec(&name, &["true"], Some(&input)).await.unwrap();
    assert_eq!(end.code, 0);
}

#[tokio::test]
async fn files_are_read_as_they_were_written() {
    let (world, name) = running("rw").await;
    let docker = &world.docker;
    assert_eq!(docker.read_file(&name, "/a").await, Ok(None));
    docker.write_file(&name, "/a", b"one", 0o640).await.unwrap();
    docker.write_file(&name, "/a", b"two", 0o640).await.unwrap();
    docker.exec(&name, &["ln", "-s", "/a", "/bin/link"], None).await.unwrap();
    assert_eq!(docker.read_file(&name, "/bin/link").await, Ok(Some(b"two".to_vec())));
    let end = docker.exec(&name, &["stat", "-c", "%a", "/a"], None).await.unwrap();
    assert_eq!(end.stdout, b"640\n");
}

#[tokio::test]
async fn a_folder_or_container_that_is_not_there_is_told() {
    let (world, name) = running("missing").await;
    let written = world.docker.write_file(&name, "/no/a", b"", 0o600).await;
    let read = world.docker.read_file("docker-no-such", "/a").await.map(drop);
    let signalled = world.docker.kill("docker-no-such", "SIGHUP").await;
    for answer in [written, read, signalled] {
        assert!(matches!(answer, Err(PortError::NotFound(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn no_engine_means_that_nothing_has_happened() {
    let docker = Docker::unix("/run/no-such.sock").unwrap();
    let answer = docker.start("a").await;
    insta::assert_debug_snapshot!(answer, @r#"
    Err(
        Unreachable(
            "could not reach the Docker engine: No such file or directory (os error 2)",
        ),
    )
    "#);
}
