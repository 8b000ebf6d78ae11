//! The connection of one call. Every wait has a limit.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use humantime::format_duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::{Failure, How};
use super::tally::Tally;
use crate::bytes::Bytes;
use crate::command::{Command, Get, Put};
use crate::greeting::{Greeting, MAX_GREETING};

/// Bytes that are taken at a time.
const CHUNK: usize = 16 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    limit: Duration,
}

impl Line {
    /// Dials, from a certain address or port if one is given.
    pub(super) async fn dial(to: SocketAddr, from: Option<SocketAddr>, limit: Duration) -> Result<Self, Failure> {
        let socket = socket(to, from)?;
        match timeout(limit, socket.connect(to)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(|e| Failure::system("when it was established", &e))?;
                Ok(Self { stream, limit })
            }
            Ok(Err(e)) => Err(Failure::system(&format!("when {to} was dialled"), &e)),
            Err(_) => Err(too_long(&format!("a connection to {to}"), limit, "nothing came")),
        }
    }

    /// This end's address.
    pub(super) fn local(&self) -> Result<SocketAddr, Failure> {
        self.stream.local_addr().map_err(|e| Failure::system("when its address was asked for", &e))
    }

    /// Reads the greeting.
    pub(super) async fn greeting(&mut self) -> Result<Greeting, Failure> {
        let mut line = Vec::with_capacity(MAX_GREETING);
        let reading = timeout(self.limit, read_line(&mut self.stream, &mut line)).await;
        match reading {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(Failure::system("awaited the greeting", &e)),
            Err(_) => return Err(too_long("the greeting", self.limit, &format!("`{}` came", line.escape_ascii()))),
        }
        match line.split_last() {
            Some((b'\n', line)) => Greeting::parse(line).map_err(|reason| Failure::new(How::Other, reason)),
            _ if line.len() < MAX_GREETING => {
                let came = line.escape_ascii();
                Err(Failure::new(
                    How::Closed,
                    format!("awaited the greeting, the connection was closed after `{came}`"),
                ))
            }
            _ => Err(Greeting::parse(&line).err().map_or_else(
                || Failure::new(How::Other, "a greeting without an end"),
                |reason| Failure::new(How::Other, reason),
            )),
        }
    }

    /// Asks for bytes, and checks each one as it arrives. Gives up when none came for `patience`.
    pub(super) async fn receive(&mut self, get: Get, patience: Duration, tally: &Tally) -> Result<(), Failure> {
        self.say(Command::Get(get)).await?;
        let mut transfer = Transfer { bytes: Bytes::new(get.seed), get, received: 0, last: Instant::now() };
        let result = transfer.run(&self.stream, patience, tally).await;
        // What came after the last byte was silence, too, if it broke off.
        if result.is_err() {
            tally.add_silence(transfer.last.elapsed());
        }
        result
    }

    /// Sends bytes, and waits for the answer that all have come; `limit` is for each of them and for the answer.
    pub(super) async fn send(&mut self, put: Put) -> Result<(), Failure> {
        self.say(Command::Put(put)).await?;
        let (mut bytes, mut buffer, mut sent) = (Bytes::new(put.seed), vec![0; CHUNK], 0);
        while sent < put.bytes {
            let most = usize::try_from(put.bytes - sent).unwrap_or(CHUNK).min(CHUNK);
            bytes.fill(&mut buffer[..most]);
            let awaited = format!("room for byte {} of {}", sent + 1, put.bytes);
            match timeout(self.limit, self.stream.write_all(&buffer[..most])).await {
                Ok(written) => written.map_err(|e| Failure::system(&format!("awaited {awaited}"), &e))?,
                Err(_) => return Err(too_long(&awaited, self.limit, "nothing was taken")),
            }
            sent += most as u64;
        }
        let (mut line, awaited) = (Vec::new(), format!("the answer to `{}`", Command::Put(put)));
        match timeout(self.limit, read_line(&mut self.stream, &mut line)).await {
            Ok(read) => read.map_err(|e| Failure::system(&format!("awaited {awaited}"), &e))?,
            Err(_) => return Err(too_long(&awaited, self.limit, &format!("`{}` came", line.escape_ascii()))),
        }
        let (expected, came) = (format!("250 {}\n", put.bytes), line.escape_ascii().to_string());
        match line == expected.as_bytes() {
            true => Ok(()),
            false if line.is_empty() => Err(Failure::new(How::Closed, format!("awaited {awaited}, it was closed"))),
            false => Err(Failure::new(How::Other, format!("awaited {awaited}, `{came}` came"))),
        }
    }

    /// Waits for `until`, if the connection stands so long.
    pub(super) async fn stands(&self, until: impl Future<Output = ()>) -> Result<(), Failure> {
        tokio::select! {
            () = until => Ok(()),
            broken = self.until_broken() => Err(broken),
        }
    }

    /// Says `bye`, closes, and waits until the server has closed too: when this is over, nothing of it is on its way.
    pub(super) async fn leave(mut self) -> Result<(), Failure> {
        self.say(Command::Bye).await?;
        self.stream.shutdown().await.map_err(|e| Failure::system("when it was closed", &e))?;
        match timeout(self.limit, self.until_broken()).await {
            Ok(Failure { how: How::Closed, .. }) => Ok(()),
            Ok(failure) => Err(failure),
            Err(_) => Err(too_long("the server's close after `bye`", self.limit, "nothing came")),
        }
    }

    async fn say(&mut self, command: Command) -> Result<(), Failure> {
        match timeout(self.limit, self.stream.write_all(format!("{command}\n").as_bytes())).await {
            Ok(written) => written.map_err(|e| Failure::system(&format!("when it said `{command}`"), &e)),
            Err(_) => Err(too_long(&format!("room to say `{command}`"), self.limit, "nothing was taken")),
        }
    }

    /// Waits until the connection ends, or something comes that nobody asked for.
    async fn until_broken(&self) -> Failure {
        loop {
            let read = match self.stream.readable().await {
                Ok(()) => self.stream.try_read(&mut [0]),
                Err(e) => Err(e),
            };
            match read {
                Ok(0) => return Failure::new(How::Closed, "the other side has closed the connection"),
                Ok(_) => return Failure::new(How::WrongBytes, "bytes came that nobody had asked for"),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(e) => return Failure::system("while it stood", &e),
            }
        }
    }
}

/// Bytes on their way.
struct Transfer {
    bytes: Bytes,
    get: Get,
    received: u64,
    /// When the last ones came.
    last: Instant,
}

impl Transfer {
    async fn run(&mut self, stream: &TcpStream, patience: Duration, tally: &Tally) -> Result<(), Failure> {
        while self.received < self.get.bytes {
            yield_now().await; // a fast transfer is not to keep the others waiting
            match self.take_some(stream, tally) {
                Ok(taken) => taken?,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    let readable = timeout_at(self.last + patience, stream.readable()).await;
                    let readable = readable.map_err(|_| too_long(&self.next_byte(), patience, "nothing came"))?;
                    readable.map_err(|e| Failure::system(&format!("awaited {}", self.next_byte()), &e))?;
                }
                Err(e) => return Err(Failure::system(&format!("awaited {}", self.next_byte()), &e)),
            }
        }
        Ok(())
    }

    /// Takes what is there and checks it. The buffer is there only meanwhile, so a call that waits costs nothing.
    fn take_some(&mut self, stream: &TcpStream, tally: &Tally) -> io::Result<Result<(), Failure>> {
        let mut buffer = [0; CHUNK];
        let most = usize::try_from(self.get.bytes - self.received).unwrap_or(CHUNK).min(CHUNK);
        let taken = stream.try_read(&mut buffer[..most])?;
        if taken == 0 {
            let reason = format!("awaited {}, the connection was closed", self.next_byte());
            return Ok(Err(Failure::new(How::Closed, reason)));
        }
        let now = Instant::now();
        tally.add_bytes(taken, now - self.last);
        self.last = now;
        let checked = self.bytes.check(&buffer[..taken]).map_err(|position| {
            let number = self.received + position as u64 + 1;
            Failure::new(
                How::WrongBytes,
                format!("byte {number} of {} is not the one that was expected", self.get.bytes),
            )
        });
        self.received += taken as u64;
        Ok(checked)
    }

    fn next_byte(&self) -> String {
        format!("byte {} of {}", self.received + 1, self.get.bytes)
    }
}

fn socket(to: SocketAddr, from: Option<SocketAddr>) -> Result<TcpSocket, Failure> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = socket.map_err(|e| Failure::system("a socket", &e))?;
    if let Some(from) = from {
        let bind = || {
            // The port may have been used by a call of before, or be used to another address now.
            socket.set_reuseaddr(from.port() != 0)?;
            socket.bind(from)
        };
        bind().map_err(|e| Failure::system(&format!("when it was bound to {from}"), &e))?;
    }
    Ok(socket)
}

/// Reads up to the end of a line, the end of the stream, or the length of the longest greeting. Byte by byte, so that what
/// comes after the line is left alone.
async fn read_line(stream: &mut TcpStream, line: &mut Vec<u8>) -> io::Result<()> {
    while line.len() < MAX_GREETING && line.last() != Some(&b'\n') {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            break;
        }
        line.extend(byte);
    }
    Ok(())
}

fn too_long(awaited: &str, limit: Duration, instead: &str) -> Failure {
    Failure::new(How::TimedOut, format!("awaited {awaited} for {}, {instead}", format_duration(limit)))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    /// A line and its other end.
    async fn pair() -> (Line, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let line = Line::dial(listener.local_addr().expect("address"), None, LIMIT).await.expect("established");
        let (other, _) = listener.accept().await.expect("accept");
        (line, other)
    }

    #[tokio::test]
    async fn a_transfer_that_falls_silent_has_failed() {
        let (mut line, mut other) = pair().await;
        let get = Get { bytes: 100, rate: 0, seed: 5 };
        let mut first = [0; 40];
        Bytes::new(5).fill(&mut first);
        other.write_all(&first).await.expect("write");
        let (tally, patience) = (Tally::default(), Duration::from_millis(50));
        let received = timeout(LIMIT, line.receive(get, patience, &tally)).await.expect("it gives up in time");
        let failure = received.expect_err("silent");
        assert_eq!(failure, Failure::new(How::TimedOut, "awaited byte 41 of 100 for 50ms, nothing came"));
        assert_eq!(tally.bytes(), 40);
        assert!(tally.longest_silence_us() >= 50_000, "the silence at its end counts: {}", tally.longest_silence_us());
    }

    #[tokio::test]
    async fn what_comes_behind_the_last_byte_is_wrong() {
        let (mut line, mut other) = pair().await;
        let mut bytes = [0; 41];
        Bytes::new(5).fill(&mut bytes);
        other.write_all(&bytes).await.expect("write");
        let get = Get { bytes: 40, rate: 0, seed: 5 };
        line.receive(get, LIMIT, &Tally::default()).await.expect("the right bytes");
        assert_eq!(line.leave().await.expect_err("one more").how, How::WrongBytes);
    }
}
