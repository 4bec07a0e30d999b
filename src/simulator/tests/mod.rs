//! Tests that look behind the HTTP surface.

mod flows;
mod packs;
mod play;
mod sample;
mod scenarios;
mod sequence;
mod words;
mod xsd;
