//! An engine behind TLS: the real one, behind a door made for the test.

use std::path::Path;
use std::process::Command;

use gitdeploy::adapters::docker::{Docker, TlsFiles};
use gitdeploy::ports::{Engine, PortError};
use tokio::net::{TcpListener, UnixStream};

use super::world::SOCKET;

/// A certificate for 127.0.0.1, signed by itself, and its key.
fn certificate(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=door", "-keyout", "key", "-out", "cert"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name| std::fs::read(folder.join(name)).unwrap();
    (read("cert"), read("key"))
}

/// Lets whoever speaks TLS through to the engine; says its port.
async fn door(certificate: &[u8], key: &[u8]) -> u16 {
    let identity = native_tls::Identity::from_pkcs8(certificate, key).unwrap();
    let acceptor = native_tls::TlsAcceptor::new(identity).unwrap();
    let acceptor = tokio_native_tls::TlsAcceptor::from(acceptor);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let mut engine = UnixStream::connect(SOCKET).await.unwrap();
                    drop(tokio::io::copy_bidirectional(&mut stream, &mut engine).await);
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn an_engine_is_reached_through_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(folder.path());
    let port = door(&certificate, &key).await;
    let tls = TlsFiles { ca: certificate.clone(), client: Some((certificate, key)) };
    let docker = Docker::tcp("127.0.0.1", port, Some(tls)).unwrap();
    for _ in 0..3 {
        assert_eq!(docker.inspect("docker-no-such").await, Ok(None));
    }
}

#[tokio::test]
async fn an_engine_that_another_authority_signed_is_not_spoken_to() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, key) = certificate(folder.path());
    let (other, _) = certificate(folder.path());
    let port = door(&ours, &key).await;
    let tls = TlsFiles { ca: other, client: None };
    let docker = Docker::tcp("127.0.0.1", port, Some(tls)).unwrap();
    let answer = docker.inspect("docker-no-such").await;
    let words = answer.clone().unwrap_err().to_string();
    assert!(matches!(answer, Err(PortError::Unreachable(_))), "{answer:?}");
    assert!(words.contains("certificate verify failed"), "{words}");
}
