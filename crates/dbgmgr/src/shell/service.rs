//! A service of systemd says when it is ready, and when it stops (sd_notify). Without systemd nobody listens.

use sd_notify::NotifyState;

/// Everything stands.
pub(super) fn ready() {
    notify(NotifyState::Ready);
}

/// It ends by itself from here on.
pub(super) fn stopping() {
    notify(NotifyState::Stopping);
}

fn notify(state: NotifyState<'_>) {
    if let Err(e) = sd_notify::notify(&[state]) {
        tracing::warn!("the service manager was not told: {e}");
    }
}
