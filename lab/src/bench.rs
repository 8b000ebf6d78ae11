//! placeholder
/// Placeholder.
pub fn up(_: &[u32], _: u32, _: bool) -> u8 {
    0
}
