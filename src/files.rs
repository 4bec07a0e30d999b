//! Opening files for writing.
