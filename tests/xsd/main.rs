//! XSD validation: facets and content against small schemas of its own,
//! hostile input, and agreement with `xmllint` on HMRC's schemas.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::print_stderr)]

#[path = "../reference/mod.rs"]
mod reference;

mod agreement;
mod facets;
mod generate;
mod hostile;
mod mutate;
mod random;
mod schemas;
mod support;
