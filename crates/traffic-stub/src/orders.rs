//! What the lab writes to standard input, one order per line.

use std::io::BufRead;
use std::str::FromStr;

use tokio::sync::mpsc;

/// Orders that were read and not yet carried out.
pub const WAITING: usize = 16;

/// An order to a server. Whether it listens and whether it accepts are two things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerOrder {
    /// `stop accepting`: the sockets go on listening, and their accept queues fill up.
    StopAccepting,
    /// `go on`: accept again.
    GoOn,
    /// `close`: nothing listens any more; connections stay.
    Close,
    /// `listen`: listen again.
    Listen,
}

impl FromStr for ServerOrder {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        match line {
            "stop accepting" => Ok(Self::StopAccepting),
            "go on" => Ok(Self::GoOn),
            "close" => Ok(Self::Close),
            "listen" => Ok(Self::Listen),
            other => Err(format!("found `{other}`, expected `stop accepting`, `go on`, `close` or `listen`")),
        }
    }
}

/// An order to a caller that holds its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerOrder {
    /// `finish`: check the calls that are held, and end them.
    Finish,
}

impl FromStr for CallerOrder {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        if line == "finish" { Ok(Self::Finish) } else { Err(format!("found `{line}`, expected `finish`")) }
    }
}

/// The orders on standard input; ends when that ends. What is no order is said in the log, and passed over. At most `waiting` are read
/// ahead; whoever writes faster waits.
pub fn from_stdin<T>(waiting: usize) -> mpsc::Receiver<T>
where
    T: FromStr<Err = String> + Send + 'static,
{
    let (orders, receiver) = mpsc::channel(waiting);
    // A thread, because a read from standard input cannot be given up: it must not keep the process from ending.
    std::thread::spawn(move || read(std::io::stdin().lock(), |order| orders.blocking_send(order).is_ok()));
    receiver
}

/// Reads orders until the input ends or nobody wants them.
fn read<T: FromStr<Err = String>>(input: impl BufRead, take: impl Fn(T) -> bool) {
    for line in input.lines().map_while(Result::ok) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        match line.parse() {
            Ok(order) => {
                if !take(order) {
                    return;
                }
            }
            Err(reason) => tracing::warn!("standard input: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn orders_are_read_and_nonsense_is_passed_over() {
        let taken = RefCell::new(Vec::new());
        let input = b"stop accepting\n\n stop\ngo on \r\nclose\nlisten".as_slice();
        read(input, |order: ServerOrder| {
            taken.borrow_mut().push(order);
            true
        });
        let all = [ServerOrder::StopAccepting, ServerOrder::GoOn, ServerOrder::Close, ServerOrder::Listen];
        assert_eq!(taken.into_inner(), all);
        assert_eq!("finish".parse(), Ok(CallerOrder::Finish));
        assert!("end".parse::<CallerOrder>().expect_err("wrong").contains("found `end`, expected `finish`"));
    }

    #[test]
    fn reading_stops_when_nobody_wants_more() {
        let taken = std::cell::Cell::new(0);
        read(b"close\n\nhello\nclose\nclose\n".as_slice(), |_: ServerOrder| {
            taken.set(taken.get() + 1);
            taken.get() < 2
        });
        assert_eq!(taken.get(), 2);
    }
}
