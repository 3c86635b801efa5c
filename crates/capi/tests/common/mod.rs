//! What the tests that compile programs have in common: the libraries, the sources, the compilers.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The folder of the libraries, which are built first: tests do not depend on them, as they cannot link them.
pub(crate) fn libraries() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let test = std::env::current_exe().expect("a path");
        let folder = test.ancestors().nth(2).expect("the folder of the profile").to_path_buf();
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--package", env!("CARGO_PKG_NAME"), "--target-dir"])
            .arg(folder.parent().expect("a folder"));
        cargo.args((folder.file_name() == Some("release".as_ref())).then_some("--release"));
        let built = cargo.output().expect("cargo");
        assert!(built.status.success(), "{}", text(&built.stderr));
        folder
    };
    BUILT.get_or_init(build).clone()
}

pub(crate) fn source(name: &str) -> String {
    format!("{}/tests/programs/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Whether a compiler is there; where it is not, one line says so.
pub(crate) fn has(compiler: &str, package: &str) -> bool {
    let found = Command::new(compiler).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        assert!(std::env::var_os("LAPACK_AI_NO_SKIPS").is_none(), "no {compiler}, and no test may be skipped");
        println!("skipped: no {compiler} (Debian: apt install {package})");
    }
    found
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
