//! The messages of the New Computerised Transit System: their types, how they
//! are read, and how they are built from templates.
//!
//! Pure functions of text and instants: nothing here opens a file, a socket or
//! a clock. Any floor may call it; it calls nothing of this crate.
//!
//! - [`message`]: the message types (`IE015`, root `CC015C`, …), who sends them
//!   and to which kind of movement they belong.
//! - [`read`]: reading a message: header, references, rejection details.
//! - [`build`]: rendering a template and stamping LRN, MRN, message
//!   identification and dates into the XML tree.
//! - [`xsd`]: judging a message against HMRC's XML schemas.

pub mod build;
pub mod message;
pub mod read;
pub mod xsd;

pub use message::{Direction, MessageType, MovementKind};
