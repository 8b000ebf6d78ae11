//! The messages of every port: what can be read can be written, and reads the same again; and a length in front of them never
//! makes anything grow.
#![no_main]

use std::fmt::Debug;

use dbm_protocol::{Hello, engine, frame, handoff, host, hub, rse};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn read<T: Serialize + DeserializeOwned + Debug>(json: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<T>(json) {
        let bytes = frame::encode(&message).expect("what came in a frame fits in one");
        let again: T = serde_json::from_slice(&bytes[4..]).expect("what was written can be read");
        assert_eq!(format!("{message:?}"), format!("{again:?}"));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((port, json)) = bytes.split_first() else { return };
    // A message in a frame may be longer when it is written again, if it is not written as we do; half of the room is enough.
    if json.len() > frame::MAX_LEN / 8 {
        return;
    }
    match port % 12 {
        0 => read::<Hello>(json),
        1 => read::<host::FromMiner>(json),
        2 => read::<host::ToMiner>(json),
        3 => read::<host::FromDebugger>(json),
        4 => read::<host::ToDebugger>(json),
        5 => read::<engine::FromEngine>(json),
        6 => read::<engine::ToEngine>(json),
        7 => read::<handoff::FromClaimant>(json),
        8 => read::<handoff::ToClaimant>(json),
        9 => read::<handoff::Linked>(json),
        10 => read::<hub::HubMessage>(json),
        _ => {
            read::<rse::ToDaemon>(json);
            read::<rse::FromDaemon>(json);
            read::<rse::ToServer>(json);
            read::<rse::FromServer>(json);
        }
    }
    let mut rest = bytes;
    let mut whole = std::pin::pin!(async { while let Ok(Some(_)) = frame::read::<Hello>(&mut rest).await {} });
    // Bytes in memory are always there, so this never has to be waited for.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(whole.as_mut().poll(&mut context).is_ready());
});
