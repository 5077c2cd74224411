//! The authorities that libgit2 trusts, read when a connection needs them.
//!
//! libgit2 reads all of them when it starts, which takes about 20 ms: more than all else that most
//! commands do before they look at a host. Only a fetch over TLS needs them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The variable that names the file of trusted authorities.
const VARIABLE: &str = "SSL_CERT_FILE";

/// An empty one.
const NONE: &str = "/dev/null";

/// Where they are, once libgit2 has been started without them.
static LEFT_OUT: OnceLock<Option<PathBuf>> = OnceLock::new();

static LOADED: OnceLock<Result<(), git2::Error>> = OnceLock::new();

/// Starts libgit2 and leaves the reading of authorities to those who need them. Without this call
/// it starts by itself, and reads them.
///
/// # Safety
///
/// It changes the process's environment for a moment, so there must be no other thread yet.
#[expect(unsafe_code, reason = "OpenSSL can be told by its environment alone")]
pub unsafe fn start() {
    let named: Option<OsString> = std::env::var_os(VARIABLE);
    let file = named.clone().map(PathBuf::from).or_else(|| openssl_probe::probe().cert_file);
    // SAFETY: the caller says that there is no other thread.
    unsafe { std::env::set_var(VARIABLE, NONE) };
    // Any question makes it start; one that asks for nothing does.
    drop(git2::Config::new());
    // SAFETY: as above.
    unsafe {
        match named {
            Some(named) => std::env::set_var(VARIABLE, named),
            None => std::env::remove_var(VARIABLE),
        }
    }
    // A second call finds libgit2 started, and the first one's answer standing.
    drop(LEFT_OUT.set(file));
}

/// Reads the authorities, once, if they were left out.
#[expect(unsafe_code, reason = "libgit2 has no other way to be told")]
pub(super) fn load() -> Result<(), git2::Error> {
    let Some(Some(file)) = LEFT_OUT.get() else { return Ok(()) };
    let loaded = LOADED.get_or_init(|| {
        // SAFETY: connections over TLS are made after this call only, and only one thread is in here.
        unsafe { git2::opts::set_ssl_cert_file(file.as_path()) }
    });
    match loaded {
        Ok(()) => Ok(()),
        Err(error) => Err(git2::Error::from_str(error.message())),
    }
}
