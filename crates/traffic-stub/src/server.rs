//! A server: listens, greets whoever calls with the system's name, and does what is asked for.

mod check;
mod doors;
mod visit;

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use evidence::{Emitter, What};
use rustix::io::Errno;
use tokio::sync::mpsc;

use crate::greeting::Greeting;
use crate::orders::ServerOrder;
pub use check::PortCheck;
use doors::Doors;

/// How long nothing is accepted after the system had no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(20);

/// What a server is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The ports; 0 is any one that is free.
    pub ports: Vec<u16>,
    /// The address; by default any, of IPv4 and, where the system has it, IPv6.
    pub bind: Option<IpAddr>,
    /// Longest accept queue of each port, in connections. Linux lets one more in, and takes `net.core.somaxconn` if that is
    /// less. (z/OS: SOMAXCONN of TCPCONFIG.)
    pub backlog: u32,
    /// What is looked for before it listens.
    pub port_check: Option<PortCheck>,
}

/// Serves for ever, and carries out orders meanwhile. Emits `Listening` with the role `server` for each port, then `Ready`; for
/// the order `listen`, `Listening` again. The other orders are confirmed in the log.
///
/// # Errors
/// When it cannot listen at its start.
pub async fn run(
    config: &Config,
    emitter: &Emitter,
    mut orders: mpsc::Receiver<ServerOrder>,
) -> Result<Infallible, String> {
    // The port is another on each connection; that the name can be said is known now.
    Greeting::new(emitter.system(), 0)?;
    config.port_check.map_or(Ok(()), |check| check.all_free(config))?;
    let mut doors = Doors::open(config)?;
    announce(&doors, emitter);
    emitter.emit(What::Ready {});
    let mut accepting = true;
    loop {
        tokio::select! {
            // What was accepted after an order to stop would be a riddle.
            biased;
            Some(order) = orders.recv() => {
                carry_out(order, &mut doors, &mut accepting, emitter);
            }
            arrived = doors.accept(), if accepting => match arrived {
                Ok((stream, port)) => {
                    if let Ok(greeting) = Greeting::new(emitter.system(), port) {
                        tokio::spawn(visit::serve(stream, greeting));
                    }
                }
                Err(e) if Errno::from_io_error(&e) == Some(Errno::CONNABORTED) => {}
                Err(e) => {
                    tracing::warn!("cannot accept: {e}");
                    tokio::time::sleep(NO_ROOM).await;
                }
            }
        }
    }
}

fn carry_out(order: ServerOrder, doors: &mut Doors, accepting: &mut bool, emitter: &Emitter) {
    match order {
        ServerOrder::StopAccepting => *accepting = false,
        ServerOrder::GoOn => *accepting = true,
        ServerOrder::Close => doors.close(),
        ServerOrder::Listen => match doors.open_again() {
            Ok(()) => announce(doors, emitter),
            // The connections that are there stay, and the lab may order it again.
            Err(reason) => return tracing::error!("{reason}"),
        },
    }
    tracing::info!(?order, accepting, listening = doors.are_open(), "order carried out");
}

fn announce(doors: &Doors, emitter: &Emitter) {
    for address in doors.addresses() {
        tracing::info!(%address, "listening");
        emitter.emit(What::Listening { role: "server".to_owned(), address });
    }
}
