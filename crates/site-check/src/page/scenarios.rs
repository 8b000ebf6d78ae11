//! The scenarios of the field catalogue, each named after its code; generated, as the pages are.

/// Files of `scenarios/field`.
pub(super) const FILES: &[&str] = &[
    "F01-port-not-distributed.toml",
    "F02-duplicate-client-port.toml",
    "F03-no-hub.toml",
    "F04-wrong-hubip.toml",
    "F05-hubip-distributed-dvipa.toml",
    "F06-trustedtcp-on-one-side.toml",
    "F07-sysclone-not-numeric.toml",
    "F08-eqadbm-undefined.toml",
    "F17-user-not-logged-on.toml",
    "F18-wrong-user-id.toml",
    "F19-rsed-without-dbgmgr.toml",
    "F20-stale-name-token.toml",
    "F21-passtickets-not-valid.toml",
    "F22-token-used-again.toml",
];
