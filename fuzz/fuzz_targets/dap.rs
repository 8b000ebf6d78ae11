//! DAP messages: in one piece or in two, the same messages come out, or the same error.
#![no_main]

use dbm_protocol::dap::Decoder;
use libfuzzer_sys::fuzz_target;

fn all(pieces: &[&[u8]]) -> (Vec<String>, bool) {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => found.push(format!("{message:?}")),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
    }
    (found, false)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((at, bytes)) = bytes.split_first() else { return };
    let (first, second) = bytes.split_at(usize::from(*at).min(bytes.len()));
    assert_eq!(all(&[bytes]), all(&[first, second]));
});
