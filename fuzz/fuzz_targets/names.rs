//! Names, tokens, and the token of the name/token pair.
#![no_main]

use dbm_protocol::nametoken::DbmToken;
use dbm_protocol::{JobName, SessionId, SystemName, Token, UserId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(token) = <[u8; 16]>::try_from(bytes)
        && let Ok(read) = DbmToken::from_bytes(token)
    {
        assert_eq!(read.to_bytes(), token);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for name in [
        text.parse::<UserId>().map(|name| name.to_string()),
        text.parse::<JobName>().map(|name| name.to_string()),
        text.parse::<SystemName>().map(|name| name.to_string()),
        text.parse::<SessionId>().map(|name| name.to_string()),
    ]
    .into_iter()
    .flatten()
    {
        assert!(name.eq_ignore_ascii_case(text.trim()) && !name.contains(char::is_control), "{name:?}");
    }
    if let Ok(token) = Token::try_from(text.to_owned()) {
        assert!(!format!("{token:?}").contains(text), "a secret is shown");
    }
});
