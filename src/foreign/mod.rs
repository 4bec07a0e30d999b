//! Text of others (a server, a file, a user) made fit to stand in ours.
//!
//! - [`text`]: without what acts or hides.
//! - [`markdown`]: as nothing but text in Markdown.
//! - [`html`]: as nothing but text in HTML, and the template engine that sees
//!   to it.
//!
//! Floor 1: it uses nothing of the house. Every floor above may call it.

pub mod html;
pub mod markdown;
pub mod text;
