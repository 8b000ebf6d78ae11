//! A sysplex that stays up, and the commands that speak to it.
//!
//! `lab up` forks; the new process, the *background*, makes the realm and waits for its end. The director in the realm builds
//! the sysplex and then serves requests. They come by an abstract Unix socket, `dvipa-lab/<uid>/<name>`, in the network namespace
//! in which `lab up` was called: the background listens before it makes the realm, the director inherits the socket, and the
//! kernel forgets the name together with the last process that has it. So no file says what is up, and none can be wrong.
//!
//! ```text
//! lab up ── fork ── background ── keeper ── director      serves the socket (`serve`)
//!    waits until it is ready                   │
//! lab exec, vary, down, ... ── connect ────────┘          one request per connection (`protocol`, `wire`)
//! ```
//!
//! Both ends look who the other is: the same user, or nothing is said. Whatever a request needs of the caller, its terminal
//! above all, comes as descriptors with it.

mod background;
pub(crate) mod capture;
pub mod cli;
mod client;
mod commands;
mod director;
mod execute;
mod fault;
mod graph;
mod logs;
mod name;
mod protocol;
mod ps;
mod serve;
mod shell;
mod show;
mod topology;
mod wire;

pub(crate) use topology::load as load_topology;
