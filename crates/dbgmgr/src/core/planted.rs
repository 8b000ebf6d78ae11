//! Bugs that the tests plant here and there in the core, to see that the simulation finds them. Outside of tests `planted!` is
//! `false`, and nothing of this is compiled.

/// Is this bug planted in this thread?
#[cfg(not(test))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

/// Is this bug planted in this thread?
#[cfg(test)]
macro_rules! planted {
    ($bug:ident) => {
        $crate::core::planted::is($crate::core::planted::Bug::$bug)
    };
}

/// The bugs.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A token is not used up when an engine has presented it.
    TokenKept,
    /// A secondary tells any user of a session, and not the one it is for.
    WrongMiner,
    /// A session that runs waits again when its debugger announces it to a new Debug Manager, and may be given to a second engine.
    RunningWaitsAgain,
    /// The primary is not told that a session does not wait any more.
    WithdrawLost,
    /// A session that was cancelled goes on waiting.
    CancelledWaitsOn,
    /// Who is logged on is not told to the primary when the hub was lost and is there again.
    UsersNotSentAgain,
}

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Plants a bug in this thread, for as long as it lives.
#[cfg(test)]
pub(crate) fn plant(bug: Bug) {
    PLANTED.set(Some(bug));
}
