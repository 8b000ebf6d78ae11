//! Frames: a 4-byte big-endian length, then that many bytes of one JSON object.
//!
//! A reader takes exactly one frame from the stream and not a byte more, because on the CLIENT port the bytes that follow
//! belong to the debugger. (A buffering codec would read ahead and lose them at the handoff.)

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Length of a frame's header, in bytes.
pub const HEADER: usize = 4;

/// Longest payload of a frame, in bytes.
pub const MAX_LEN: usize = 64 * 1024;

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length in the header is over [`MAX_LEN`].
    #[error("a frame of {found} bytes was announced, at most {MAX_LEN} are allowed")]
    TooLong {
        /// What was announced.
        found: u64,
    },
    /// The payload is not the JSON object that belongs here.
    #[error("not a message that belongs here: {0}")]
    BadMessage(#[from] serde_json::Error),
    /// The connection ended inside a frame.
    #[error("the connection ended inside a frame")]
    Cut,
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// How much room there is for a payload before its bytes arrive; it grows with them. Most messages are shorter, and take one read.
const ROOM: usize = 4096;

/// Reads one message; `None` when the connection ended between two frames.
///
/// Memory grows with the bytes that arrive, not with the length that was announced. Not cancel safe: a read that is
/// dropped half-way loses what it had read.
///
/// # Errors
/// See [`FrameError`]; after one, the connection is of no use any more.
pub async fn read<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<T>, FrameError> {
    read_payload(stream).await?.map(|payload| parse(&payload)).transpose()
}

/// The message of a payload.
///
/// # Errors
/// [`FrameError::BadMessage`] when it is not one that belongs here.
pub fn parse<T: DeserializeOwned>(payload: &[u8]) -> Result<T, FrameError> {
    Ok(serde_json::from_slice(payload)?)
}

/// Reads one frame, as [`read`] does, and returns the bytes of its JSON object.
///
/// # Errors
/// See [`FrameError`]; after one, the connection is of no use any more.
pub async fn read_payload(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>, FrameError> {
    let mut header = [0; HEADER];
    let mut have = 0;
    while have < header.len() {
        match stream.read(&mut header[have..]).await? {
            0 if have == 0 => return Ok(None),
            0 => return Err(FrameError::Cut),
            n => have += n,
        }
    }
    let length = announced(header)?;
    let mut payload = Vec::with_capacity(length.min(ROOM));
    (&mut *stream).take(length as u64).read_to_end(&mut payload).await?;
    if payload.len() < length {
        return Err(FrameError::Cut);
    }
    Ok(Some(payload))
}

/// The length of the payload that a header announces.
///
/// # Errors
/// [`FrameError::TooLong`] when it is over [`MAX_LEN`].
pub fn announced(header: [u8; HEADER]) -> Result<usize, FrameError> {
    let length = u32::from_be_bytes(header);
    let found = u64::from(length);
    usize::try_from(length).ok().filter(|length| *length <= MAX_LEN).ok_or(FrameError::TooLong { found })
}

/// How much space a frame has from the beginning; most are shorter and need no more.
const SPACE: usize = 256;

/// One frame, ready to be sent.
///
/// # Errors
/// [`FrameError::TooLong`] when the message does not fit in a frame.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::with_capacity(SPACE);
    bytes.resize(HEADER, 0);
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - HEADER;
    let header = u32::try_from(length).ok().filter(|_| length <= MAX_LEN);
    let header = header.ok_or(FrameError::TooLong { found: length as u64 })?;
    bytes[..HEADER].copy_from_slice(&header.to_be_bytes());
    Ok(bytes)
}

/// Writes one message, in one piece.
///
/// # Errors
/// When it does not fit in a frame or the connection failed.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> Result<(), FrameError> {
    stream.write_all(&encode(message)?).await?;
    Ok(stream.flush().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hello, Role};

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("runtime").block_on(future)
    }

    #[test]
    fn two_frames_and_a_stranger_byte_are_told_apart() {
        let mut bytes = encode(&Hello::new(Role::Engine)).expect("fits");
        bytes.extend(encode(&Hello::new(Role::Miner)).expect("fits"));
        bytes.push(7);
        block_on(async {
            let mut rest = bytes.as_slice();
            assert_eq!(read::<Hello>(&mut rest).await.expect("frame"), Some(Hello::new(Role::Engine)));
            assert_eq!(read::<Hello>(&mut rest).await.expect("frame"), Some(Hello::new(Role::Miner)));
            assert_eq!(rest, [7], "the byte after the frame stays in the stream");
            assert!(matches!(read::<Hello>(&mut rest).await, Err(FrameError::Cut)));
        });
    }

    #[test]
    fn a_length_of_4_gib_is_refused_before_anything_is_read() {
        block_on(async {
            let mut bytes: &[u8] = &[0xff, 0xff, 0xff, 0xff, b'{'];
            assert!(matches!(read::<Hello>(&mut bytes).await, Err(FrameError::TooLong { found: 0xffff_ffff })));
            assert_eq!(bytes, b"{");
        });
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_from_the_network_make_it_panic(bytes: Vec<u8>) {
            block_on(async {
                let mut rest = bytes.as_slice();
                while let Ok(Some(_)) = read::<Hello>(&mut rest).await {}
            });
        }
    }
}
