//! One debug session, from the notice to the program's end.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dbm_protocol::engine::{FromEngine, ToEngine};
use dbm_protocol::{Hello, Notice, Role, UserId};
use evidence::{Emitter, Refusal, What};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::conversation::Conversation;
use crate::dial::Line;
use crate::hold::Hold;
use crate::tls::Tls;

/// Variables that are read at a stop; an event has to fit in one write to a pipe.
const MAX_VARIABLES: usize = 20;
/// Longest text that is taken from the debugger for one field, in characters.
const MAX_TEXT: usize = 80;
/// Longest sentence about what did not work, in characters; parts of it may be the peer's.
const MAX_REASON: usize = 500;

/// What all sessions of a client share.
#[derive(Clone, Debug)]
pub struct Engine {
    /// The user.
    pub user: UserId,
    /// The address that the client dialled first; sessions are dialled there too.
    pub address: IpAddr,
    /// TLS for the debug sessions, if that is wanted.
    pub tls: Option<Tls>,
    /// Line of the breakpoint.
    pub breakpoint: u32,
    /// How long each answer may take.
    pub limit: Duration,
    /// Holds a session at its first stop.
    pub hold: Hold,
    /// Where the events go.
    pub emitter: Emitter,
}

impl Engine {
    /// Debugs the session of this notice to its end. Its last event is `DebugFinished` or `DebugBroken`.
    ///
    /// # Errors
    /// One sentence that says what did not work.
    pub async fn debug(&self, notice: &Notice) -> Result<(), String> {
        let session = notice.session.to_string();
        let result = self.link(notice).await;
        let result = result.map_err(|reason| cut(&reason, MAX_REASON));
        self.emitter.emit(match &result {
            Ok(()) => What::DebugFinished { session },
            Err(reason) => What::DebugBroken { session, reason: reason.clone() },
        });
        result
    }

    /// Dials the external port, with TLS if that is wanted.
    async fn link(&self, notice: &Notice) -> Result<(), String> {
        let address = SocketAddr::new(self.address, notice.port);
        let line = Line::dial("engine", address, self.limit, &self.emitter).await?;
        match &self.tls {
            None => self.attach(line, notice).await,
            Some(tls) => self.attach(line.with_tls(tls).await?, notice).await,
        }
    }

    /// Presents the token, and debugs.
    async fn attach<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut line: Line<S>,
        notice: &Notice,
    ) -> Result<(), String> {
        line.say(&Hello::new(Role::Engine)).await?;
        let session = notice.session.clone();
        line.say(&FromEngine::Attach { user: self.user.clone(), session, token: notice.token.clone() }).await?;
        match line.answer("Debug Manager's `accepted`").await? {
            ToEngine::Accepted { session, .. } if session == notice.session => {
                self.converse(session.as_str(), Conversation::new(line.stream, self.limit)).await
            }
            ToEngine::Accepted { session, .. } => {
                Err(format!("Debug Manager accepted session {session}, expected {}", notice.session))
            }
            ToEngine::Cancelled { session } => {
                Err(format!("Debug Manager cancelled session {session}, expected it to be accepted"))
            }
            ToEngine::Refused(no) => {
                let sentence = format!("Debug Manager refused: {}: {}", no.code.as_str(), no.reason);
                let refusal = Refusal { code: no.code.as_str().to_owned(), reason: cut(&no.reason, MAX_REASON) };
                self.emitter.emit(What::EngineTurnedAway { session: notice.session.to_string(), refusal });
                Err(sentence)
            }
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite>(
        &self,
        session: &str,
        mut talk: Conversation<S>,
    ) -> Result<(), String> {
        let about = json!({"clientID": "client-stub", "adapterID": "zos-debugger", "linesStartAt1": true});
        talk.ask("initialize", about).await?;
        talk.event(&["initialized"]).await?;
        talk.ask("launch", json!({})).await?;
        let process = talk.event(&["process"]).await?.body;
        let (job, job_system) = (text(&process["job"]), text(&process["system"]));
        let (Some(job), Some(job_system)) = (job, job_system) else {
            return Err("the debugger's `process` event names no job and system".to_owned());
        };
        let answered =
            What::DebuggerAnswered { session: session.to_owned(), job: job.clone(), job_system: job_system.clone() };
        self.emitter.emit(answered);
        let asked = json!({"source": {"name": job}, "breakpoints": [{"line": self.breakpoint}]});
        let set = talk.ask("setBreakpoints", asked).await?;
        if set["breakpoints"][0]["verified"] != true {
            print(&format!("{job} on {job_system} has no statement on line {}, it will not stop", self.breakpoint));
        }
        talk.ask("configurationDone", Value::Null).await?;

        let mut holding = self.hold.is_on();
        while talk.event(&["stopped", "terminated"]).await?.event == "stopped" {
            let (line, variables) = look(&mut talk).await?;
            print(&stop_report(&job, &job_system, session, line, &variables));
            self.emitter.emit(What::ClientStopped { session: session.to_owned(), line, variables });
            if std::mem::take(&mut holding) {
                talk.stand(&self.hold).await?;
            }
            talk.ask("continue", json!({"threadId": 1})).await?;
        }
        print(&format!("{job} on {job_system} has ended (session {session})"));
        // The program has ended; whether the debugger still hears the good bye does not matter.
        let _ = talk.ask("disconnect", json!({})).await;
        talk.hang_up().await;
        Ok(())
    }
}

/// Where the program stands, and its variables as `NAME=value`.
async fn look<S: AsyncRead + AsyncWrite>(talk: &mut Conversation<S>) -> Result<(u32, Vec<String>), String> {
    let threads = talk.ask("threads", Value::Null).await?;
    let thread = &threads["threads"][0]["id"];
    let stack = talk.ask("stackTrace", json!({"threadId": thread})).await?;
    let frame = &stack["stackFrames"][0];
    let line = frame["line"].as_u64().and_then(|line| u32::try_from(line).ok());
    let line = line.ok_or("the debugger's stack trace has no line")?;
    let scopes = talk.ask("scopes", json!({"frameId": frame["id"]})).await?;
    let scope = &scopes["scopes"][0]["variablesReference"];
    let answer = talk.ask("variables", json!({"variablesReference": scope})).await?;
    let variables = answer["variables"].as_array().map(Vec::as_slice).unwrap_or_default();
    let read = |variable: &Value| Some(format!("{}={}", text(&variable["name"])?, text(&variable["value"])?));
    Ok((line, variables.iter().take(MAX_VARIABLES).filter_map(read).collect()))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(|text| cut(text, MAX_TEXT))
}

fn cut(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect()
}

fn stop_report(job: &str, system: &str, session: &str, line: u32, variables: &[String]) -> String {
    let mut report = format!("{job} on {system} stopped at line {line} (session {session})");
    for variable in variables {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        report.push_str(&format!("\n    {name:<12} {value:>12}"));
    }
    report
}

/// Prints for a person; one who does not listen any more does not end the session.
fn print(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_reads_like_a_list() {
        let report = stop_report("EQATST", "LPAR2", "LPAR2.1", 18, &["TOTAL=260425".to_owned()]);
        assert_eq!(report, "EQATST on LPAR2 stopped at line 18 (session LPAR2.1)\n    TOTAL              260425");
    }

    #[test]
    fn text_from_the_debugger_is_cut() {
        assert_eq!(text(&json!("x".repeat(500))).map(|t| t.len()), Some(MAX_TEXT));
        assert_eq!(text(&json!(7)), None);
    }
}
