//! One connection, as the server sees it. Its memory is a few hundred bytes, whatever is sent or asked for.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::bytes::Bytes;
use crate::command::{self, Command, Get, MAX_LINE, Put};
use crate::greeting::Greeting;

/// How often bytes are sent when a rate is asked for.
const TICK: Duration = Duration::from_millis(10);
/// Bytes that are made at a time.
const CHUNK: usize = 16 * 1024;
/// How long the other side may take to close, once the conversation is over.
const LEAVE: Duration = Duration::from_secs(2);
/// How much it may still send meanwhile, in bytes.
const LAST_WORDS: u64 = 64 * 1024;

/// Why a conversation is over.
enum Over {
    /// The other side has closed.
    Closed,
    /// It said `bye`.
    Bye,
    /// It said what is no command.
    Wrong(String),
}

/// Greets, and does what is asked for, until the conversation is over.
pub(super) async fn serve(mut stream: TcpStream, greeting: Greeting) {
    if let Err(e) = converse(&mut stream, &greeting).await {
        tracing::debug!("a connection broke: {e}");
    }
}

async fn converse(stream: &mut TcpStream, greeting: &Greeting) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(format!("{greeting}\n").as_bytes()).await?;
    let (reading, mut writing) = stream.split();
    let mut reading = BufReader::with_capacity(MAX_LINE, reading);
    let over = loop {
        match next(&mut reading).await? {
            Ok(Command::Get(get)) => send(writing.as_ref(), get).await?,
            Ok(Command::Put(put)) => match take(&mut reading, put).await? {
                None => writing.write_all(format!("{}\n", done(put)).as_bytes()).await?,
                Some(over) => break over,
            },
            Ok(Command::Bye) => break Over::Bye,
            Err(over) => break over,
        }
    };
    match over {
        Over::Closed => return Ok(()),
        Over::Bye => {}
        Over::Wrong(reason) => {
            tracing::debug!("{reason}");
            writing.write_all(format!("500 {reason}\n").as_bytes()).await?;
            // The other side is to read that, so it must not be overtaken by the reset that unread bytes would cause.
            writing.shutdown().await?;
        }
    }
    // Whoever called closes first, and its end keeps TIME_WAIT, as with most protocols.
    let _ = timeout(LEAVE, tokio::io::copy(&mut reading.take(LAST_WORDS), &mut tokio::io::sink())).await;
    Ok(())
}

/// The next command, or why there is none.
async fn next(reading: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<Result<Command, Over>> {
    let mut line = Vec::with_capacity(MAX_LINE + 1);
    reading.take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line).await?;
    Ok(match line.split_last() {
        Some((b'\n', line)) => command::parse(line).map_err(Over::Wrong),
        _ if line.len() > MAX_LINE => Err(Over::Wrong(format!("the line is longer than {MAX_LINE} bytes"))),
        _ => Err(Over::Closed),
    })
}

/// The answer to `put`.
pub(crate) fn done(put: Put) -> String {
    format!("250 {}", put.bytes)
}

/// Takes the bytes and checks them; why the conversation is over, if it is.
async fn take(reading: &mut (impl AsyncReadExt + Unpin), put: Put) -> io::Result<Option<Over>> {
    let (mut bytes, mut buffer, mut taken) = (Bytes::new(put.seed), [0; MAX_LINE], 0);
    while taken < put.bytes {
        let most = usize::try_from(put.bytes - taken).unwrap_or(MAX_LINE).min(MAX_LINE);
        match reading.read(&mut buffer[..most]).await? {
            0 => return Ok(Some(Over::Closed)),
            n => {
                if let Err(position) = bytes.check(&buffer[..n]) {
                    let number = taken + position as u64 + 1;
                    let wrong = format!("byte {number} of {} is not the one that was expected", put.bytes);
                    return Ok(Some(Over::Wrong(wrong)));
                }
                taken += n as u64;
            }
        }
    }
    Ok(None)
}

/// Sends the bytes, not faster than asked for.
async fn send(stream: &TcpStream, get: Get) -> io::Result<()> {
    let mut bytes = Bytes::new(get.seed);
    let mut sent = 0;
    if get.rate == 0 {
        return send_until(stream, &mut bytes, &mut sent, get.bytes).await;
    }
    let start = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while sent < get.bytes {
        ticks.tick().await;
        let due = due(get.rate, start.elapsed()).min(get.bytes);
        send_until(stream, &mut bytes, &mut sent, due).await?;
    }
    Ok(())
}

/// How many bytes are to have been sent after this time.
fn due(rate: u64, elapsed: Duration) -> u64 {
    let due = u128::from(rate).saturating_mul(elapsed.as_micros()) / 1_000_000;
    u64::try_from(due).unwrap_or(u64::MAX)
}

/// Sends until `due` bytes are sent.
async fn send_until(stream: &TcpStream, bytes: &mut Bytes, sent: &mut u64, due: u64) -> io::Result<()> {
    while *sent < due {
        yield_now().await; // a fast transfer is not to keep the others waiting
        match send_some(stream, bytes, due - *sent) {
            Ok(taken) => *sent += taken as u64,
            Err(e) if e.kind() == ErrorKind::WouldBlock => stream.writable().await?,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Sends what the connection takes at once; the buffer is there only meanwhile, so a connection that waits costs nothing.
fn send_some(stream: &TcpStream, bytes: &mut Bytes, most: u64) -> io::Result<usize> {
    let mut buffer = [0; CHUNK];
    let chunk = &mut buffer[..usize::try_from(most).unwrap_or(CHUNK).min(CHUNK)];
    let mut ahead = bytes.clone();
    ahead.fill(chunk);
    let taken = stream.try_write(chunk)?;
    if taken == chunk.len() {
        *bytes = ahead;
    } else {
        bytes.fill(&mut chunk[..taken]); // goes on behind what was taken
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_follows_the_rate() {
        assert_eq!(due(1000, Duration::from_millis(10)), 10);
        assert_eq!(due(1, Duration::from_millis(1999)), 1);
        assert_eq!(due(u64::MAX, Duration::from_secs(100)), u64::MAX);
    }

    #[tokio::test]
    async fn bytes_that_come_are_checked() {
        let put = Put { bytes: 1000, seed: 3 };
        let mut right = vec![0; 1000];
        Bytes::new(3).fill(&mut right);
        assert!(take(&mut right.as_slice(), put).await.is_ok_and(|over| over.is_none()));
        assert!(matches!(take(&mut &right[..999], put).await, Ok(Some(Over::Closed))), "one is missing");
        right[700] ^= 1;
        let wrong = take(&mut right.as_slice(), put).await;
        assert!(matches!(wrong, Ok(Some(Over::Wrong(reason))) if reason.starts_with("byte 701 of 1000")));
    }

    #[tokio::test]
    async fn lines_have_an_end() {
        let longest = [b" ".repeat(MAX_LINE), b"\n".to_vec()].concat();
        let too_long = b" ".repeat(MAX_LINE + 1);
        let mut input = [b"get 1 2 3\nbye\n".as_slice(), &longest, &too_long].concat();
        input.extend(b"");
        let mut reading = input.as_slice();
        assert!(matches!(next(&mut reading).await, Ok(Ok(Command::Get(Get { bytes: 1, rate: 2, seed: 3 })))));
        assert!(matches!(next(&mut reading).await, Ok(Ok(Command::Bye))));
        assert!(matches!(next(&mut reading).await, Ok(Err(Over::Wrong(reason))) if reason.starts_with("found `")));
        assert!(matches!(next(&mut reading).await, Ok(Err(Over::Wrong(reason))) if reason.contains("longer than 256")));
        assert!(matches!(next(&mut reading).await, Ok(Err(Over::Closed))));
        assert!(matches!(next(&mut b"by".as_slice()).await, Ok(Err(Over::Closed))), "cut in a line");
    }
}
