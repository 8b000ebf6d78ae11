//! What the operator is shown: the users (`D,U`), the hub (`H`).

use std::collections::BTreeMap;

use dbm_protocol::{SessionId, UserId};
use evidence::HubState;

use crate::core::Manager;
use crate::core::sessions::{Session, State};

/// The number that `D,U` shows for a session: the part of its id after the system's name. (z/OS shows a number without a
/// label, which may be a process id or a handle; it is not documented.)
pub(super) fn number(session: &SessionId) -> &str {
    session.as_str().rsplit_once('.').map_or(session.as_str(), |(_, number)| number)
}

/// One line of a session, in the shapes of the books. The numbers in parentheses, on z/OS presumably socket descriptors, are
/// those of the connections as Debug Manager counts them; Engine(0) was passed on by an earlier Debug Manager. While the socket is on its way to the debugger the session is not
/// active yet.
fn line(id: &SessionId, session: &Session) -> String {
    let (user, number, probe) = (&session.user, number(id), session.debugger.0);
    match session.state {
        State::Dormant { .. } => format!("User:{user} {number} ProbeSocket({probe}) waits for register connection"),
        State::Told(_) | State::Attached { .. } | State::Passing { .. } => {
            format!("User:{user} {number} ProbeSocket({probe}) waits for engine connection")
        }
        State::Linked { engine } => {
            let module: String = session.module.chars().flat_map(char::escape_default).collect();
            format!("User:{user} {number} Engine({}) connected to Probe({probe}) Module({module})", engine.0)
        }
    }
}

impl Manager {
    /// EQACM104I with the users of this system, those who are registered and those for whom a session is here; EQACM103I when
    /// there are none. By user, the registrations first, then the sessions as they came. That a user with a session is shown
    /// as registered, too, is our choice.
    pub(super) fn display_users(&self) -> Vec<String> {
        let mut users: BTreeMap<&UserId, Vec<String>> = BTreeMap::new();
        for (user, conn) in self.users.local_registrations() {
            users.entry(user).or_default().push(format!("User:{user}  RegisterSocket({})", conn.0));
        }
        let mut sessions: Vec<_> = self.sessions.iter().collect();
        sessions.sort_by_key(|(_, session)| session.debugger);
        for (id, session) in sessions {
            users.entry(&session.user).or_default().push(line(id, session));
        }
        if users.is_empty() {
            return vec!["EQACM103I No active user".to_owned()];
        }
        ["EQACM104I User list".to_owned()].into_iter().chain(users.into_values().flatten()).collect()
    }

    /// EQACM913I with this system's role in the hub, and a line for each system that it knows there.
    pub(super) fn display_hub(&self) -> Vec<String> {
        let (hub, system) = (&self.hub, &self.settings.system);
        let Some(at) = self.settings.hub else {
            return vec!["EQACM913I Hub: off, there is no HUBIP".to_owned()];
        };
        let local = self.users.registrations();
        let here = |role: &str| format!("System:{system} {role}, this system, {}", users(local));
        let reason: String = hub.reason.chars().flat_map(char::escape_default).take(300).collect();
        match hub.state {
            HubState::Primary => {
                let but = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                let mut lines = vec![format!("EQACM913I Hub: primary node at {at}{but}"), here("primary")];
                let members = hub.members.values();
                lines.extend(members.map(|m| format!("System:{} secondary, {}", m.system, users(m.users))));
                lines
            }
            HubState::Secondary => {
                let primary = hub.primary.iter().map(|system| format!("System:{system} primary"));
                let first = format!("EQACM913I Hub: secondary node, connected to the hub at {at}");
                [first, here("secondary")].into_iter().chain(primary).collect()
            }
            HubState::Standalone => vec![
                format!("EQACM913I Hub: stand-alone, the hub at {at} is tried again: {reason}"),
                here("stand-alone"),
            ],
            HubState::Off => vec![format!("EQACM913I Hub: the hub at {at} is tried for the first time")],
        }
    }
}

fn users(count: usize) -> String {
    if count == 1 { "1 user".to_owned() } else { format!("{count} users") }
}
