//! How TLS is recognised by who does not speak it. TLS itself is no part of these protocols: on z/OS it is AT-TLS that speaks it,
//! for programs that need not know.

/// Do the four bytes where a [frame](crate::frame) has its length start a TLS record with a handshake message, which is 22 and a
/// version 3.x (RFC 8446, section 5.1)? No frame is that long.
pub fn is_handshake(length: u64) -> bool {
    length >> 16 == u64::from(HANDSHAKE) << 8 | 3
}

/// The first byte of a TLS connection: content type of a record with a handshake message (RFC 8446, section 5.1). The first byte
/// of a frame is 0.
pub const HANDSHAKE: u8 = 22;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;

    #[test]
    fn a_handshake_is_told_from_other_bytes_and_from_every_frame() {
        let first = |bytes: [u8; 4]| is_handshake(u32::from_be_bytes(bytes).into());
        assert!(first([0x16, 3, 1, 2]) && first([0x16, 3, 4, 0xff]));
        for other in [[0x15, 3, 3, 0], [0x17, 3, 3, 0], [0x16, 2, 0, 0], [0, 0x16, 3, 1], *b"GET "] {
            assert!(!first(other), "{other:?}");
        }
        assert!((0..=frame::MAX_LEN as u64).all(|length| !is_handshake(length)));
    }
}
