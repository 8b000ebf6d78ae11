//! Bugs that are planted here and there, to see that they are found: by the simulation of the tests, which plants one in a thread, and
//! by a soak of the whole lab, for which a program built with the feature `planted` takes one from its environment. Otherwise
//! `planted!` is `false`, and nothing of this is compiled.

#[cfg(all(feature = "planted", not(debug_assertions)))]
compile_error!("the feature `planted` puts bugs into Debug Manager on purpose: it is for debug builds only");

/// Is this bug planted here?
#[cfg(not(any(test, feature = "planted")))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

/// Is this bug planted here?
#[cfg(any(test, feature = "planted"))]
macro_rules! planted {
    ($bug:ident) => {
        $crate::core::planted::is($crate::core::planted::Bug::$bug)
    };
}

/// The bugs.
#[cfg(any(test, feature = "planted"))]
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
    /// When one system leaves the hub, the primary forgets the users of all.
    MembersForgotten,
    /// Debug Manager keeps its copy of a client's socket that it has passed on.
    SocketKept,
}

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Is its name in the environment?
#[cfg(all(feature = "planted", not(test)))]
pub(crate) fn is(bug: Bug) -> bool {
    static NAME: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let name = NAME.get_or_init(|| std::env::var("DVIPA_LAB_PLANTED").ok());
    name.as_deref() == Some(format!("{bug:?}").as_str())
}

/// Plants a bug in this thread, for as long as it lives.
#[cfg(test)]
pub(crate) fn plant(bug: Bug) {
    PLANTED.set(Some(bug));
}
