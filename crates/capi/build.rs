//! How the shared library is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // Programs note this name, not the path that they were linked with.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,liblapack_ai.so");
        // It registers handlers with the system that cannot be taken back.
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
