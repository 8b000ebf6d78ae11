//! The workstation: an Eclipse client with its remote debug engine.
//!
//! - [`client`]: the client from logon to logoff.
//! - [`logon`]: the RSE daemon's port and the RSE server's second port.
//! - [`encrypted`]: the try with TLS before the logon, [`client_hello`]: what it sends.
//! - [`engine`]: one debug session: dials Debug Manager's external port and presents the token.
//! - [`conversation`]: the debug conversation on that connection.
//! - [`dial`]: connections, and how they fail.
//! - [`tls`]: TLS on that connection.
//! - [`hold`]: the person in front of the workstation, who says `continue`.

pub mod client;
pub mod client_hello;
pub mod conversation;
pub mod dial;
pub mod encrypted;
pub mod engine;
pub mod hold;
pub mod logon;
pub mod tls;
