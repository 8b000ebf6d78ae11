//! The debug conversation, the engine's side: asks, and waits for answers and events.

use std::collections::VecDeque;
use std::time::Duration;

use dbm_protocol::dap::{self, Builder, Event, Message};
use humantime::format_duration;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, timeout, timeout_at};

use crate::hold::Hold;

/// Events that may come before anybody asks for them.
const MAX_QUEUED: usize = 256;

/// One conversation.
#[derive(Debug)]
pub struct Conversation<S> {
    reader: dap::Reader<ReadHalf<S>>,
    writer: WriteHalf<S>,
    builder: Builder,
    /// Events that came while an answer was awaited.
    early: VecDeque<Event>,
    limit: Duration,
    /// The last thing that came, for messages about what did not.
    last: String,
}

impl<S: AsyncRead + AsyncWrite> Conversation<S> {
    /// A conversation on a connection that is the debugger's; each answer may take `limit`.
    pub fn new(stream: S, limit: Duration) -> Self {
        let (reading, writer) = split(stream);
        let last = "nothing".to_owned();
        Self {
            reader: dap::Reader::new(reading),
            writer,
            builder: Builder::default(),
            early: VecDeque::new(),
            limit,
            last,
        }
    }

    /// Says that nothing more will be said. With TLS that is more than the end of the connection, which anybody on the way may cause.
    pub async fn hang_up(mut self) {
        let _ = timeout(self.limit, self.writer.shutdown()).await;
    }

    /// Asks, and returns the body of the answer.
    ///
    /// # Errors
    /// One sentence: what was asked, and what came instead of an answer.
    pub async fn ask(&mut self, command: &str, arguments: Value) -> Result<Value, String> {
        let request = self.builder.request(command, arguments);
        let seq = request.seq;
        let sending = timeout(self.limit, dap::write(&mut self.writer, &Message::Request(request))).await;
        let sent = sending.map_err(|_| format!("the debugger did not read for {}", format_duration(self.limit)))?;
        sent.map_err(|e| format!("sending `{command}`: {e}"))?;
        let awaited = format!("the answer to `{command}`");
        let deadline = Instant::now() + self.limit;
        loop {
            match self.next(&awaited, deadline).await? {
                Message::Response(answer) if answer.request_seq == seq && answer.success => return Ok(answer.body),
                Message::Response(answer) if answer.request_seq == seq => {
                    let reason = answer.message.unwrap_or_else(|| "no reason given".to_owned());
                    return Err(format!("the debugger refused `{command}`: {reason}"));
                }
                Message::Event(event) => self.keep(event)?,
                other => return Err(format!("found {}, expected {awaited}", describe(&other))),
            }
        }
    }

    /// Waits for one of these events; others are passed over.
    ///
    /// # Errors
    /// One sentence: what was awaited, and what came instead.
    pub async fn event(&mut self, names: &[&str]) -> Result<Event, String> {
        while let Some(event) = self.early.pop_front() {
            if names.contains(&event.event.as_str()) {
                return Ok(event);
            }
        }
        let awaited = format!("the event `{}`", names.join("` or `"));
        let deadline = Instant::now() + self.limit;
        loop {
            match self.next(&awaited, deadline).await? {
                Message::Event(event) if names.contains(&event.event.as_str()) => return Ok(event),
                Message::Event(_) => {}
                other => return Err(format!("found {}, expected {awaited}", describe(&other))),
            }
        }
    }

    /// Lets the session stand until it is let go, and notices if the debugger is lost meanwhile.
    ///
    /// # Errors
    /// One sentence that says how the debugger was lost.
    pub async fn stand(&mut self, hold: &Hold) -> Result<(), String> {
        loop {
            let came = tokio::select! {
                () = hold.released() => return Ok(()),
                came = self.reader.read() => came,
            };
            match came {
                Ok(Some(Message::Event(event))) => self.keep(event)?,
                Ok(Some(other)) => return Err(format!("found {} while the program was held", describe(&other))),
                Ok(None) => return Err("the debugger closed the connection while the program was held".to_owned()),
                Err(e) => return Err(format!("the debugger was lost while the program was held: {e}")),
            }
        }
    }

    fn keep(&mut self, event: Event) -> Result<(), String> {
        if self.early.len() >= MAX_QUEUED {
            return Err(format!("more than {MAX_QUEUED} events that nobody asked for"));
        }
        self.early.push_back(event);
        Ok(())
    }

    async fn next(&mut self, awaited: &str, deadline: Instant) -> Result<Message, String> {
        match timeout_at(deadline, self.reader.read()).await {
            Ok(Ok(Some(message))) => {
                self.last = describe(&message);
                Ok(message)
            }
            Ok(Ok(None)) => {
                Err(format!("the debugger closed the connection, awaited {awaited}, seen last: {}", self.last))
            }
            Ok(Err(e)) => Err(format!("{e}, awaited {awaited}, seen last: {}", self.last)),
            Err(_) => {
                let limit = format_duration(self.limit);
                Err(format!("awaited {awaited} for {limit}, seen last: {}", self.last))
            }
        }
    }
}

fn describe(message: &Message) -> String {
    let (kind, name) = match message {
        Message::Request(request) => ("a request", &request.command),
        Message::Response(response) => ("the answer to", &response.command),
        Message::Event(event) => ("the event", &event.event),
    };
    format!("{kind} `{}`", name.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpStream};

    async fn pair(limit: Duration) -> (Conversation<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let engine = TcpStream::connect(listener.local_addr().expect("address")).await.expect("connect");
        (Conversation::new(engine, limit), listener.accept().await.expect("accept").0)
    }

    #[tokio::test]
    async fn a_deadline_says_what_was_awaited_and_what_was_seen() {
        let (mut engine, mut debugger) = pair(Duration::from_millis(50)).await;
        let event = Builder::default().event("output", Value::Null);
        dap::write(&mut debugger, &event).await.expect("write");
        let error = engine.ask("threads", Value::Null).await.expect_err("nobody answers");
        assert_eq!(error, "awaited the answer to `threads` for 50ms, seen last: the event `output`");
    }

    #[tokio::test]
    async fn events_that_come_early_are_kept_and_strange_answers_are_refused() {
        let (mut engine, mut debugger) = pair(Duration::from_secs(20)).await;
        let mut builder = Builder::default();
        let request = Builder::default().request("launch", Value::Null);
        for message in [builder.event("process", Value::Null), builder.response(&request, Value::Null)] {
            dap::write(&mut debugger, &message).await.expect("write");
        }
        engine.ask("launch", Value::Null).await.expect("answered");
        assert_eq!(engine.event(&["process"]).await.expect("kept").event, "process");
        dap::write(&mut debugger, &builder.response(&request, Value::Null)).await.expect("write");
        let error = engine.ask("threads", Value::Null).await.expect_err("the answer to something else");
        assert!(error.contains("`launch`") && error.contains("`threads`"), "{error}");
        drop(debugger);
        let error = engine.event(&["stopped", "terminated"]).await.expect_err("closed");
        assert!(error.contains("`stopped` or `terminated`"), "{error}");
    }
}
