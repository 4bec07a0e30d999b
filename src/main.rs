//! The `ctc-ready` binary: everything is in the library.

fn main() -> std::process::ExitCode {
    ctc_ready::cli::main()
}
