//! The first bytes of TLS: a ClientHello in its record (RFC 8446, sections 4.1.2 and 5.1). Pure.
//!
//! It offers TLS 1.3 and 1.2 as a common client does, so that whoever sees it on the way takes it for what it is. There is
//! nothing behind it: this client cannot go on with a server that answers. No server name is sent, since the client dials an
//! address (RFC 6066 allows names only).

/// Content type of a record that carries handshake messages.
const HANDSHAKE: u8 = 22;
/// Type of the handshake message.
const CLIENT_HELLO: u8 = 1;
/// TLS 1.0, the version that the first record carries for the sake of old servers (RFC 8446, section 5.1).
const FIRST_RECORD: u16 = 0x0301;
const TLS_1_2: u16 = 0x0303;
const TLS_1_3: u16 = 0x0304;
/// Three suites of TLS 1.3, then ECDHE with AES-GCM of TLS 1.2.
const CIPHER_SUITES: [u16; 7] = [0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030];
const X25519: u16 = 0x001d;
const SECP256R1: u16 = 0x0017;
/// ECDSA, RSA-PSS and RSA PKCS #1 with SHA-256, then with SHA-384.
const SIGNATURES: [u16; 6] = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501];

/// The random parts.
#[derive(Clone, Copy, Debug)]
pub struct Nonces {
    /// The client's random.
    pub random: [u8; 32],
    /// The session id that TLS 1.3 sends for the sake of middleboxes.
    pub session_id: [u8; 32],
    /// A public key for X25519; any 32 bytes are one.
    pub key: [u8; 32],
}

impl Nonces {
    /// Fresh ones, from the kernel's random numbers.
    ///
    /// # Errors
    /// One sentence, when the kernel has none to give.
    pub fn fresh() -> Result<Self, String> {
        let mut bytes = [[0; 32]; 3];
        getrandom::fill(bytes.as_flattened_mut()).map_err(|e| format!("no random numbers for TLS: {e}"))?;
        let [random, session_id, key] = bytes;
        Ok(Self { random, session_id, key })
    }
}

/// The record, ready to be sent.
pub fn record(nonces: &Nonces) -> Vec<u8> {
    let body = [
        TLS_1_2.to_be_bytes().to_vec(), // the last version that stands here; newer ones are an extension
        nonces.random.to_vec(),
        vector(1, &nonces.session_id),
        vector(2, &numbers(&CIPHER_SUITES)),
        vector(1, &[0]), // no compression
        vector(2, &extensions(&nonces.key)),
    ];
    let message = [vec![CLIENT_HELLO], vector(3, &body.concat())].concat();
    [vec![HANDSHAKE], FIRST_RECORD.to_be_bytes().to_vec(), vector(2, &message)].concat()
}

fn extensions(key: &[u8]) -> Vec<u8> {
    let share = [X25519.to_be_bytes().to_vec(), vector(2, key)].concat();
    let all: [(u16, Vec<u8>); 7] = [
        (10, vector(2, &numbers(&[X25519, SECP256R1]))), // supported_groups
        (11, vector(1, &[0])),                           // ec_point_formats: uncompressed
        (13, vector(2, &numbers(&SIGNATURES))),          // signature_algorithms
        (23, Vec::new()),                                // extended_master_secret
        (43, vector(1, &numbers(&[TLS_1_3, TLS_1_2]))),  // supported_versions
        (45, vector(1, &[1])),                           // psk_key_exchange_modes: with (EC)DHE
        (51, vector(2, &share)),                         // key_share
    ];
    all.iter().flat_map(|(kind, data)| [kind.to_be_bytes().to_vec(), vector(2, data)].concat()).collect()
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A vector as TLS writes it: its length in `width` bytes, then its content. All that is written here is far below 256 bytes
/// where `width` is 1, and below 64 KiB elsewhere.
fn vector(width: usize, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    [&length[length.len() - width..], content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const NONCES: Nonces = Nonces { random: [1; 32], session_id: [2; 32], key: [3; 32] };

    /// Takes `n` bytes off the front.
    fn take<'a>(bytes: &mut &'a [u8], n: usize) -> &'a [u8] {
        let (front, rest) = bytes.split_at_checked(n).unwrap_or_else(|| panic!("{n} of {} bytes", bytes.len()));
        *bytes = rest;
        front
    }

    fn number(bytes: &mut &[u8], width: usize) -> usize {
        take(bytes, width).iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    fn content<'a>(bytes: &mut &'a [u8], width: usize) -> &'a [u8] {
        let length = number(bytes, width);
        take(bytes, length)
    }

    #[test]
    fn the_record_and_the_message_are_as_long_as_they_say() {
        let bytes = record(&NONCES);
        assert_eq!(bytes[..3], [22, 3, 1]);
        let mut rest = &bytes[3..];
        let mut message = content(&mut rest, 2);
        assert!(rest.is_empty(), "one record");
        assert!(message.len() <= 1 << 14, "RFC 8446, section 5.1");
        assert_eq!(take(&mut message, 1), [1]);
        let _body = content(&mut message, 3);
        assert!(message.is_empty(), "one message");
    }

    #[test]
    fn every_field_is_where_it_belongs() {
        let bytes = record(&NONCES);
        let mut body = &bytes[9..];
        assert_eq!(take(&mut body, 2), [3, 3]);
        assert_eq!(take(&mut body, 32), [1; 32]);
        assert_eq!(content(&mut body, 1), [2; 32]);
        let suites = content(&mut body, 2);
        assert!(suites.len().is_multiple_of(2) && suites.starts_with(&[0x13, 0x01]), "{suites:?}");
        assert_eq!(content(&mut body, 1), [0]);
        let mut rest = content(&mut body, 2);
        assert!(body.is_empty(), "the extensions are the last field");

        let mut extensions = BTreeMap::new();
        while !rest.is_empty() {
            let kind = number(&mut rest, 2);
            assert!(extensions.insert(kind, content(&mut rest, 2)).is_none(), "extension {kind} twice");
        }
        assert_eq!(extensions.keys().copied().collect::<Vec<_>>(), [10, 11, 13, 23, 43, 45, 51]);
        assert_eq!(content(&mut &extensions[&43][..], 1), [3, 4, 3, 3]);
        let mut shares = content(&mut &extensions[&51][..], 2);
        assert_eq!((number(&mut shares, 2), content(&mut shares, 2)), (0x1d, &[3; 32][..]));
        assert!(shares.is_empty(), "one share");
        for (kind, width) in [(10, 2), (11, 1), (13, 2), (45, 1)] {
            let mut rest = extensions[&kind];
            assert!(!content(&mut rest, width).is_empty() && rest.is_empty(), "extension {kind}");
        }
    }

    #[test]
    fn no_two_are_the_same() {
        let fresh = || record(&Nonces::fresh().expect("random numbers"));
        let (one, two) = (fresh(), fresh());
        assert_eq!(one.len(), two.len());
        assert_ne!(one, two);
    }
}
