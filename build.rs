//! Rebuilds the crate when a file is added to the embedded folders: the macro
//! that embeds them notices changed files, but not new ones.

#![allow(clippy::print_stdout)] // How a build script talks to Cargo.

fn main() {
    println!("cargo:rerun-if-changed=scenarios");
    println!("cargo:rerun-if-changed=templates");
}
