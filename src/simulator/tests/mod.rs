//! Tests that look behind the HTTP surface.

mod flows;
mod sample;
mod words;
mod xsd;
