//! The Debug Adapter Protocol, as far as a batch job and its client need it: the conversation after the handoff.
//!
//! The payload between IBM's debugger and engine is proprietary. The lab speaks DAP in its place, the open protocol of the
//! field (<https://microsoft.github.io/debug-adapter-protocol/specification>): a `Content-Length` header, an empty line, and one
//! JSON object, which is a [`Request`], a [`Response`] or an [`Event`]. Debug Manager never looks into it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest header block, in bytes, the empty line included.
pub const MAX_HEADER: usize = 4 * 1024;
/// Longest JSON object, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub enum DapError {
    /// No empty line within [`MAX_HEADER`] bytes.
    #[error("a header of more than {MAX_HEADER} bytes, expected `Content-Length: N` and an empty line")]
    HeaderTooLong,
    /// A header without a usable `Content-Length`.
    #[error("found the header `{found}`, expected `Content-Length: N`")]
    BadHeader {
        /// What stood there, cut to a sane length.
        found: String,
    },
    /// The announced length is over [`MAX_BODY`].
    #[error("a message of {found} bytes, at most {MAX_BODY} are allowed")]
    TooLong {
        /// What was announced, or what was to be sent.
        found: usize,
    },
    /// The body is not a request, response or event.
    #[error("not a message of the Debug Adapter Protocol: {0}")]
    BadMessage(#[from] serde_json::Error),
    /// The connection ended inside a message.
    #[error("the connection ended inside a message")]
    Cut,
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// One message, either way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// From the client.
    Request(Request),
    /// From the debugger, to one request.
    Response(Response),
    /// From the debugger, on its own.
    Event(Event),
}

/// A client's request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Number of the message, counted by its sender from 1.
    pub seq: u64,
    /// `initialize`, `continue`, ...
    pub command: String,
    /// Depends on the command; null when there are none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub arguments: Value,
}

/// The debugger's answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Number of the message, counted by its sender from 1.
    pub seq: u64,
    /// `seq` of the request.
    pub request_seq: u64,
    /// Was it done?
    pub success: bool,
    /// The command of the request.
    pub command: String,
    /// Why not, where it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Depends on the command; null when there is none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// Something that happened in the program under debug.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Number of the message, counted by its sender from 1.
    pub seq: u64,
    /// `stopped`, `terminated`, ...
    pub event: String,
    /// Depends on the event; null when there is none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// Builds the messages of one side of one conversation, numbered from 1.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    last: u64,
}

impl Builder {
    /// A request.
    pub fn request(&mut self, command: &str, arguments: Value) -> Request {
        Request { seq: self.next(), command: command.to_owned(), arguments }
    }

    /// The answer to `request`: done.
    pub fn response(&mut self, request: &Request, body: Value) -> Message {
        Message::Response(self.answer(request, true, None, body))
    }

    /// The answer to `request`: not done, for this reason.
    pub fn failure(&mut self, request: &Request, reason: impl Into<String>) -> Message {
        Message::Response(self.answer(request, false, Some(reason.into()), Value::Null))
    }

    /// An event.
    pub fn event(&mut self, event: &str, body: Value) -> Message {
        Message::Event(Event { seq: self.next(), event: event.to_owned(), body })
    }

    fn answer(&mut self, request: &Request, success: bool, message: Option<String>, body: Value) -> Response {
        let command = request.command.clone();
        Response { seq: self.next(), request_seq: request.seq, success, command, message, body }
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// Takes messages out of a stream of bytes. Pure: the bytes are pushed in. It holds at most one message's worth of bytes
/// beyond what was pushed last, and grows with what arrives, not with what is announced.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Is it in the middle of a message?
    pub fn is_partial(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next whole message, where there is one.
    ///
    /// # Errors
    /// When the bytes are no message; then the stream is of no use any more.
    pub fn next_message(&mut self) -> Result<Option<Message>, DapError> {
        let window = &self.buffer[..self.buffer.len().min(MAX_HEADER)];
        let Some(end) = window.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if window.len() == MAX_HEADER { Err(DapError::HeaderTooLong) } else { Ok(None) };
        };
        let length = content_length(&self.buffer[..end])?;
        let (start, stop) = (end + 4, end + 4 + length);
        let Some(body) = self.buffer.get(start..stop) else { return Ok(None) };
        let message = serde_json::from_slice(body);
        self.buffer.drain(..stop);
        Ok(Some(message?))
    }
}

/// Reads `Content-Length` out of a header block (without its empty line); other fields are allowed and skipped.
fn content_length(header: &[u8]) -> Result<usize, DapError> {
    let text = String::from_utf8_lossy(header);
    let bad = || DapError::BadHeader { found: text.chars().take(80).collect() };
    let mut length = None;
    for field in text.split("\r\n") {
        let (name, value) = field.split_once(':').ok_or_else(bad)?;
        if name.trim().eq_ignore_ascii_case("content-length") {
            // `parse` alone would take a sign.
            let digits = Some(value.trim()).filter(|v| v.bytes().all(|b| b.is_ascii_digit()));
            length = Some(digits.and_then(|v| v.parse::<usize>().ok()).ok_or_else(bad)?);
        }
    }
    let length = length.ok_or_else(bad)?;
    if length > MAX_BODY { Err(DapError::TooLong { found: length }) } else { Ok(length) }
}

/// The reading half of a conversation. It reads ahead, so nobody else may read from the stream any more.
#[derive(Debug)]
pub struct Reader<R> {
    stream: R,
    decoder: Decoder,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads from `stream`.
    pub fn new(stream: R) -> Self {
        Self { stream, decoder: Decoder::default() }
    }

    /// The stream; bytes that were read ahead are lost.
    pub fn into_inner(self) -> R {
        self.stream
    }

    /// The next message; `None` when the connection ended between two. Cancel safe.
    ///
    /// # Errors
    /// See [`DapError`]; after one, the connection is of no use any more.
    pub async fn read(&mut self) -> Result<Option<Message>, DapError> {
        let mut chunk = [0; 4096];
        loop {
            if let Some(message) = self.decoder.next_message()? {
                return Ok(Some(message));
            }
            match self.stream.read(&mut chunk).await? {
                0 if self.decoder.is_partial() => return Err(DapError::Cut),
                0 => return Ok(None),
                n => self.decoder.push(&chunk[..n]),
            }
        }
    }
}

/// One message, ready to be sent.
///
/// # Errors
/// [`DapError::TooLong`] when it is over [`MAX_BODY`].
pub fn encode(message: &Message) -> Result<Vec<u8>, DapError> {
    let body = serde_json::to_vec(message)?;
    if body.len() > MAX_BODY {
        return Err(DapError::TooLong { found: body.len() });
    }
    let mut bytes = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend(body);
    Ok(bytes)
}

/// Writes one message, in one piece. Not cancel safe.
///
/// # Errors
/// When it is too long or the connection failed.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &Message) -> Result<(), DapError> {
    stream.write_all(&encode(message)?).await?;
    Ok(stream.flush().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn decode(bytes: &[u8]) -> Result<Option<Message>, DapError> {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        decoder.next_message()
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<Message>, DapError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime.block_on(async {
            let mut reader = Reader::new(bytes);
            let mut all = Vec::new();
            while let Some(message) = reader.read().await? {
                all.push(message);
            }
            Ok(all)
        })
    }

    #[test]
    fn an_answer_names_its_request() {
        let request = Builder { last: 6 }.request("threads", Value::Null);
        let mut debugger = Builder::default();
        debugger.event("initialized", Value::Null);
        let Message::Response(done) = debugger.response(&request, json!({"threads": []})) else { panic!("a response") };
        assert_eq!((done.seq, done.request_seq, done.command.as_str(), done.success), (2, 7, "threads", true));
        let Message::Response(not) = debugger.failure(&request, "no") else { panic!("a response") };
        assert_eq!((not.seq, not.request_seq, not.success, not.message.as_deref()), (3, 7, false, Some("no")));
    }

    #[test]
    fn the_wire_is_as_the_specification_shows_it() {
        let mut bytes =
            encode(&Message::Request(Builder::default().request("next", json!({"threadId": 3})))).expect("fits");
        let text = String::from_utf8(bytes.clone()).expect("text");
        assert!(text.starts_with("Content-Length: 70\r\n\r\n{\"type\":\"request\",\"seq\":1,"), "{text}");
        let event = br#"{"type":"event","seq":1,"event":"output"}"#;
        bytes.extend_from_slice(b"content-type: x\r\nCONTENT-LENGTH:41\r\n\r\n");
        bytes.extend_from_slice(event);
        assert_eq!(read_all(&bytes).expect("two messages").len(), 2);
    }

    #[test]
    fn bad_headers_are_refused_with_what_was_found() {
        for bad in [
            "GET / HTTP/1.1\r\n\r\n",
            "Content-Length: -1\r\n\r\n",
            "Content-Length: +1\r\n\r\n",
            "X: 1\r\n\r\n",
            "\r\n\r\n",
        ] {
            assert!(matches!(decode(bad.as_bytes()), Err(DapError::BadHeader { .. })), "{bad}");
        }
        assert!(matches!(decode(b"Content-Length: 262145\r\n\r\n"), Err(DapError::TooLong { found: 262_145 })));
        assert!(matches!(decode(&[b'a'; MAX_HEADER]), Err(DapError::HeaderTooLong)));
        assert!(matches!(decode(&[b'a'; MAX_HEADER - 1]), Ok(None)));
        assert!(matches!(decode(b"Content-Length: 2\r\n\r\n{}"), Err(DapError::BadMessage(_))));
        assert!(matches!(read_all(b"Content-Length: 2\r\n\r\n{"), Err(DapError::Cut)));
    }

    #[test]
    fn a_message_over_the_limit_is_not_sent() {
        let long = Message::Request(Builder::default().request("x", json!("y".repeat(MAX_BODY))));
        assert!(matches!(encode(&long), Err(DapError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, length in 0usize..40) {
            let _ = read_all(&bytes);
            let mut framed = format!("Content-Length: {length}\r\n\r\n").into_bytes();
            framed.extend(&bytes);
            let _ = read_all(&framed);
        }

        #[test]
        fn messages_survive_any_cut_of_the_stream(commands in prop::collection::vec(".{0,20}", 0..6), piece in 1usize..50) {
            let mut builder = Builder::default();
            let sent: Vec<_> = commands.iter().map(|c| Message::Request(builder.request(c, json!({"c": c})))).collect();
            let bytes: Vec<u8> = sent.iter().flat_map(|m| encode(m).expect("fits")).collect();
            let (mut decoder, mut got) = (Decoder::default(), Vec::new());
            for part in bytes.chunks(piece) {
                decoder.push(part);
                while let Some(message) = decoder.next_message().expect("good bytes") {
                    got.push(message);
                }
            }
            prop_assert_eq!(got, sent);
            prop_assert!(!decoder.is_partial());
        }
    }
}
