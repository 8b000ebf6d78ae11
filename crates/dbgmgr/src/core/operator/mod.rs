//! The operator's commands: `F DBGMGR,APPL=DBM,...` and `P DBGMGR`.
//!
//! Every command is answered with one message, whose first line begins with its id; the letter at the end of the id says
//! whether the command was taken (I) or refused (E). Which ids are IBM's and which are not:
//!
//! | id | | message |
//! |---|---|---|
//! | EQACM103I | IBM | `D,U`, no active user |
//! | EQACM104I | IBM | `D,U`, the four shapes of line; the text of the first line is ours |
//! | EQACM911I | ours | `T,n`, the wait time |
//! | EQACM912I | ours | `LL,letter`, the log level |
//! | EQACM913I | ours | `H`, the hub |
//! | EQACM914I | ours | `H,ip,port`, the hub moves, or is there already |
//! | EQACM915I | ours | `C,session` and `C,U,user`, what was cancelled; the command is ours, too |
//! | EQACM916I | ours | `P`, Debug Manager ends |
//! | EQACM920E | ours | the command is wrong: what was found, what was expected |
//! | EQACM921E | ours | the command is right and cannot be done |
//!
//! Documented are the commands `D,U`, `LL` with its four letters, `T` with a value, and `H`. The unit of T (seconds), its
//! range, the operands of H and what it shows are ours. What changes something is written to the console as well.

mod command;
mod display;

use std::net::SocketAddr;

use dbm_protocol::host::Canceller;
use dbm_protocol::{SessionId, UserId};
use evidence::HubState;

use super::{Level, Manager, Output};
use command::{Command, parse, shown};

impl Level {
    /// The operator's letter.
    pub fn letter(self) -> char {
        match self {
            Self::Error => 'E',
            Self::Informational => 'I',
            Self::Debug => 'D',
            Self::Verbose => 'V',
        }
    }

    fn of_letter(text: &str) -> Option<Self> {
        let all = [Self::Error, Self::Informational, Self::Debug, Self::Verbose];
        all.into_iter().find(|level| text.eq_ignore_ascii_case(level.letter().encode_utf8(&mut [0; 4])))
    }
}

const SECOND: u64 = 1_000_000_000;

impl Manager {
    pub(super) fn operator(&mut self, text: &str) {
        let lines = match parse(text, &self.settings.task) {
            Ok(Command::Users) => self.display_users(),
            Ok(Command::Hub) => self.display_hub(),
            Ok(change) => {
                let lines = self.change(change).unwrap_or_else(|reason| vec![format!("EQACM921E {reason}")]);
                self.console(lines[0].clone());
                lines
            }
            Err(problem) => vec![format!("EQACM920E {problem}")],
        };
        self.out.push(Output::Reply(lines));
    }

    fn change(&mut self, command: Command) -> Result<Vec<String>, String> {
        match command {
            Command::Log(level) => Ok(vec![self.change_level(level)]),
            Command::Wait(seconds) => Ok(vec![self.change_wait(seconds)]),
            Command::MoveHub(to) => self.change_hub(to).map(|line| vec![line]),
            Command::Cancel(session) => self.cancel_one(&session),
            Command::CancelUser(user) => self.cancel_all_of(&user),
            Command::Stop => {
                self.out.push(Output::Shutdown);
                Ok(vec!["EQACM916I Debug Manager ends by operator command".to_owned()])
            }
            Command::Users => Ok(self.display_users()),
            Command::Hub => Ok(self.display_hub()),
        }
    }

    fn change_level(&mut self, level: Level) -> String {
        let before = std::mem::replace(&mut self.settings.level, level);
        self.out.push(Output::Log(level));
        format!("EQACM912I Log level is {} (was {})", level.letter(), before.letter())
    }

    fn change_wait(&mut self, seconds: u64) -> String {
        let before = std::mem::replace(&mut self.settings.wait_ns, seconds * SECOND) / SECOND;
        format!(
            "EQACM911I Each phase of a wait that begins from now on may take {seconds} seconds (was {before} seconds)"
        )
    }

    fn change_hub(&mut self, to: SocketAddr) -> Result<String, String> {
        let settings = &self.settings;
        for (name, port) in [("HOST", settings.host_port), ("CLIENT", settings.client_port)] {
            if to.port() == port {
                return Err(format!(
                    "The hub cannot be at port {port}, which is the {name} port of this Debug Manager"
                ));
            }
        }
        if settings.hub == Some(to) && matches!(self.hub.state, HubState::Primary | HubState::Secondary) {
            return Ok(format!("EQACM914I The hub is at {to} already, and this system is part of it"));
        }
        let told = self.move_by_operator(to);
        Ok(format!("EQACM914I The hub moves to {to}; {told}"))
    }

    fn cancel_one(&mut self, wanted: &str) -> Result<Vec<String>, String> {
        let named = |id: &SessionId| id.as_str().eq_ignore_ascii_case(wanted) || display::number(id) == wanted;
        let found = self.sessions.iter().find(|(id, _)| named(id));
        let Some((id, session)) = found.map(|(id, session)| (id.clone(), session)) else {
            let system = &self.settings.system;
            return Err(format!("{} was found, a session of system {system} was expected", shown(wanted)));
        };
        if !session.waits() {
            return Err(format!("Session {id} does not wait any more: its engine is connected"));
        }
        Ok(vec![format!("EQACM915I {}", self.cancel(&id))])
    }

    fn cancel_all_of(&mut self, user: &UserId) -> Result<Vec<String>, String> {
        let ids = self.sessions.waiting_of(user);
        if ids.is_empty() {
            return Err(format!("No session waits for user {user} on system {}", self.settings.system));
        }
        let first = format!("EQACM915I Sessions cancelled for user {user}: {}", ids.len());
        Ok([first].into_iter().chain(ids.iter().map(|id| self.cancel(id))).collect())
    }

    /// Ends a session that waits; the debugger is told. Returns what was done.
    fn cancel(&mut self, id: &SessionId) -> String {
        let Some(session) = self.sessions.get(id) else { return String::new() };
        let done = format!("Session {id} of user {}, job {}, is cancelled", session.user, session.job);
        self.cancel_waiting(id, Canceller::Operator);
        done
    }
}
