//! HMRC's APIs over HTTP.
