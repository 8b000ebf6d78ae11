//! The debugger's side of the debug conversation: requests in, answers and events out. Pure: no socket, no clock.

use std::collections::BTreeSet;

use dbm_protocol::dap::{Builder, Message, Request};
use serde_json::{Value, json};

use crate::program::{self, Program};

/// The only thread and the only stack frame of the built-in program, and the handles of its variables and source.
const ONLY: u64 = 1;

/// A stop that the client is told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// `breakpoint`, `entry` or `step`.
    pub reason: &'static str,
    /// The line that is executed next.
    pub line: u32,
}

/// What follows from one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reaction {
    /// To be sent, in this order.
    pub messages: Vec<Message>,
    /// The program stopped.
    pub stop: Option<Stop>,
}

/// How far the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits for `launch` (or `attach`) and `configurationDone`, in either order.
    Waiting,
    Stopped,
    Ended,
}

/// One debug conversation about one run of the built-in program.
#[derive(Debug)]
pub struct Adapter {
    job: String,
    system: String,
    builder: Builder,
    program: Program,
    breakpoints: BTreeSet<u32>,
    state: State,
    launched: bool,
    configured: bool,
    stop_on_entry: bool,
    disconnected: bool,
}

impl Adapter {
    /// A conversation about this job on this system.
    pub fn new(job: &str, system: &str) -> Self {
        Self {
            job: job.to_owned(),
            system: system.to_owned(),
            builder: Builder::default(),
            program: Program::default(),
            breakpoints: BTreeSet::new(),
            state: State::Waiting,
            launched: false,
            configured: false,
            stop_on_entry: false,
            disconnected: false,
        }
    }

    /// Has the program run to its end?
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Has the client said good bye?
    pub fn is_disconnected(&self) -> bool {
        self.disconnected
    }

    /// Takes one request.
    pub fn handle(&mut self, request: &Request) -> Reaction {
        let answer = self.answer(request);
        let refused = answer.is_err();
        let answer = match answer {
            Ok(body) => self.builder.response(request, body),
            Err(reason) => self.builder.failure(request, reason),
        };
        let mut reaction = Reaction { messages: vec![answer], stop: None };
        if !refused {
            self.follow(&request.command, &mut reaction);
        }
        reaction
    }

    /// The body of the answer, or why there is none.
    fn answer(&mut self, request: &Request) -> Result<Value, String> {
        let arguments = &request.arguments;
        match request.command.as_str() {
            "initialize" => Ok(json!({
                "supportsConfigurationDoneRequest": true,
                "supportsEvaluateForHovers": true,
                "supportsTerminateRequest": true,
            })),
            "launch" | "attach" if self.launched => Err("the program is launched already".to_owned()),
            "launch" | "attach" => {
                self.launched = true;
                self.stop_on_entry = arguments["stopOnEntry"].as_bool().unwrap_or(false);
                Ok(json!({"job": self.job, "system": self.system}))
            }
            "setBreakpoints" => Ok(self.set_breakpoints(arguments)),
            "setExceptionBreakpoints" => Ok(Value::Null),
            "configurationDone" => {
                self.configured = true;
                Ok(Value::Null)
            }
            "threads" => Ok(json!({"threads": [{"id": ONLY, "name": self.job}]})),
            "source" => Ok(json!({"content": listing()})),
            "disconnect" | "terminate" => {
                self.disconnected |= request.command == "disconnect";
                Ok(Value::Null)
            }
            "stackTrace" | "scopes" | "variables" | "evaluate" | "continue" | "next" | "stepIn" | "stepOut" => {
                self.answer_stopped(request)
            }
            other => Err(format!("`{}` is not supported", other.chars().take(40).collect::<String>())),
        }
    }

    /// Requests that need a stopped program.
    fn answer_stopped(&self, request: &Request) -> Result<Value, String> {
        let line = self.program.line().filter(|_| self.state == State::Stopped).ok_or("the program is not stopped")?;
        match request.command.as_str() {
            "stackTrace" => Ok(json!({
                "stackFrames": [{"id": ONLY, "name": "PAYROLL", "line": line, "column": 1, "source": self.source()}],
                "totalFrames": 1,
            })),
            "scopes" => {
                let scope = json!({"name": "WORKING-STORAGE", "variablesReference": ONLY, "expensive": false});
                Ok(json!({"scopes": [scope]}))
            }
            "variables" if request.arguments["variablesReference"] != ONLY => Err("no such scope".to_owned()),
            "variables" => Ok(json!({"variables": self.variables()})),
            "evaluate" => {
                let name = request.arguments["expression"].as_str().unwrap_or_default().trim();
                let found = self.program.variable(name);
                let missing = || format!("no variable `{}`", name.chars().take(40).collect::<String>());
                let value = found.ok_or_else(missing)?;
                Ok(json!({"result": value.to_string(), "variablesReference": 0}))
            }
            "continue" => Ok(json!({"allThreadsContinued": true})),
            _ => Ok(Value::Null),
        }
    }

    /// What happens after a request that was done.
    fn follow(&mut self, command: &str, reaction: &mut Reaction) {
        match command {
            "initialize" => reaction.messages.push(self.builder.event("initialized", Value::Null)),
            "launch" | "attach" => {
                let body = json!({
                    "name": format!("{} on {}", self.job, self.system),
                    "isLocalProcess": false,
                    "startMethod": command,
                    "job": self.job,
                    "system": self.system,
                });
                reaction.messages.push(self.builder.event("process", body));
                self.start_when_ready(reaction);
            }
            "configurationDone" => self.start_when_ready(reaction),
            "continue" => {
                self.program.run(&self.breakpoints);
                self.report("breakpoint", reaction);
            }
            "next" | "stepIn" | "stepOut" => {
                self.program.step();
                self.report("step", reaction);
            }
            "disconnect" | "terminate" if self.state != State::Ended => {
                self.program.run(&BTreeSet::new());
                self.report("step", reaction);
            }
            _ => {}
        }
    }

    fn start_when_ready(&mut self, reaction: &mut Reaction) {
        if !(self.launched && self.configured && self.state == State::Waiting) {
            return;
        }
        if self.stop_on_entry {
            return self.report("entry", reaction);
        }
        if self.program.line().is_none_or(|first| !self.breakpoints.contains(&first)) {
            self.program.run(&self.breakpoints);
        }
        self.report("breakpoint", reaction);
    }

    /// Tells where the program is now: stopped, or at its end.
    fn report(&mut self, reason: &'static str, reaction: &mut Reaction) {
        let Some(line) = self.program.line() else {
            self.state = State::Ended;
            reaction.messages.push(self.builder.event("exited", json!({"exitCode": 0})));
            reaction.messages.push(self.builder.event("terminated", Value::Null));
            return;
        };
        self.state = State::Stopped;
        let body = json!({"reason": reason, "threadId": ONLY, "allThreadsStopped": true});
        reaction.messages.push(self.builder.event("stopped", body));
        reaction.stop = Some(Stop { reason, line });
    }

    fn set_breakpoints(&mut self, arguments: &Value) -> Value {
        let asked = arguments["breakpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
        self.breakpoints.clear();
        let mut answers = Vec::new();
        for breakpoint in asked {
            let line = breakpoint["line"].as_u64().and_then(|line| u32::try_from(line).ok());
            answers.push(match line.filter(|line| program::text_of(*line).is_some()) {
                Some(line) => {
                    self.breakpoints.insert(line);
                    json!({"verified": true, "line": line})
                }
                None => json!({"verified": false, "message": "there is no statement on this line"}),
            });
        }
        json!({"breakpoints": answers})
    }

    fn source(&self) -> Value {
        json!({"name": format!("{}.cbl", self.job), "sourceReference": ONLY})
    }

    fn variables(&self) -> Vec<Value> {
        let variables = self.program.variables();
        let as_json = |(name, value): (&str, i64)| json!({"name": name, "value": value.to_string(), "type": "PIC S9(9) COMP", "variablesReference": 0});
        variables.into_iter().map(as_json).collect()
    }
}

/// The source as text, each statement on the row of its number.
fn listing() -> String {
    let last = program::listing().map(|(number, _)| number).max().unwrap_or(0);
    let rows: Vec<_> = (1..=last).map(|number| program::text_of(number).unwrap_or("")).collect();
    rows.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Client {
        adapter: Adapter,
        builder: Builder,
    }

    impl Client {
        fn new() -> Self {
            Self { adapter: Adapter::new("EQATST", "LPAR2"), builder: Builder::default() }
        }

        fn ask(&mut self, command: &str, arguments: Value) -> Reaction {
            let request = self.builder.request(command, arguments);
            self.adapter.handle(&request)
        }

        /// The body of the answer, and the names of the events after it.
        fn done(&mut self, command: &str, arguments: Value) -> (Value, Vec<String>) {
            let reaction = self.ask(command, arguments);
            let Message::Response(answer) = &reaction.messages[0] else { panic!("an answer comes first") };
            assert!(answer.success, "{command}: {:?}", answer.message);
            let names = reaction.messages[1..].iter().map(|m| match m {
                Message::Event(event) => event.event.clone(),
                other => panic!("one answer per request, found {other:?}"),
            });
            (answer.body.clone(), names.collect())
        }

        fn start(&mut self, breakpoint: u32) -> Vec<String> {
            self.done("setBreakpoints", json!({"breakpoints": [{"line": breakpoint}]}));
            self.done("launch", json!({}));
            self.done("configurationDone", Value::Null).1
        }
    }

    #[test]
    fn a_client_reads_true_values_at_its_breakpoint() {
        let mut client = Client::new();
        assert_eq!(client.done("initialize", json!({})).1, ["initialized"]);
        let reaction = client.ask("launch", json!({}));
        let Message::Event(process) = &reaction.messages[1] else { panic!("process event") };
        assert_eq!((&process.body["job"], &process.body["system"]), (&json!("EQATST"), &json!("LPAR2")));
        let (body, _) = client.done("setBreakpoints", json!({"breakpoints": [{"line": 18}, {"line": 9}]}));
        assert_eq!(body["breakpoints"][0], json!({"verified": true, "line": 18}));
        assert_eq!(body["breakpoints"][1]["verified"], false);
        let reaction = client.ask("configurationDone", Value::Null);
        assert_eq!(reaction.stop, Some(Stop { reason: "breakpoint", line: 18 }));
        assert_eq!(client.done("stackTrace", json!({"threadId": 1})).0["stackFrames"][0]["line"], 18);
        let (body, _) = client.done("variables", json!({"variablesReference": 1}));
        assert_eq!(body["variables"][3]["value"], "260425");
        assert_eq!(client.done("evaluate", json!({"expression": "average"})).0["result"], "65106");
        assert_eq!(client.done("continue", json!({})).1, ["exited", "terminated"]);
        assert!(client.adapter.has_ended() && !client.adapter.is_disconnected());
        assert_eq!(client.done("disconnect", Value::Null).1, [""; 0], "the end is told once");
        assert!(client.adapter.is_disconnected());
    }

    #[test]
    fn steps_and_breakpoints_on_the_first_line_and_in_the_loop() {
        let mut client = Client::new();
        assert_eq!(client.start(10), ["stopped"]);
        assert_eq!(client.ask("next", json!({})).stop, Some(Stop { reason: "step", line: 11 }));
        client.done("setBreakpoints", json!({"breakpoints": [{"line": 14}]}));
        for _ in 0..4 {
            assert_eq!(client.ask("continue", json!({})).stop, Some(Stop { reason: "breakpoint", line: 14 }));
        }
        assert_eq!(client.done("continue", json!({})).1, ["exited", "terminated"]);
    }

    #[test]
    fn what_needs_a_stopped_program_is_refused_without_one() {
        let mut client = Client::new();
        for command in ["stackTrace", "variables", "continue", "next", "frobnicate"] {
            let reaction = client.ask(command, json!({"variablesReference": 1}));
            assert!(matches!(&reaction.messages[..], [Message::Response(r)] if !r.success), "{command}");
        }
        client.done("launch", json!({"stopOnEntry": true}));
        assert_eq!(client.ask("configurationDone", Value::Null).stop, Some(Stop { reason: "entry", line: 10 }));
        assert_eq!(client.done("disconnect", Value::Null).1, ["exited", "terminated"], "the job runs on alone");
    }

    proptest! {
        #[test]
        fn no_order_of_requests_makes_it_panic(picks in prop::collection::vec((0usize..16, 0u64..25), 0..40)) {
            const COMMANDS: [&str; 16] = [
                "initialize", "launch", "attach", "setBreakpoints", "configurationDone", "threads", "source", "stackTrace",
                "scopes", "variables", "evaluate", "continue", "next", "disconnect", "terminate", "?",
            ];
            let mut client = Client::new();
            for (command, number) in picks {
                let arguments = json!({"breakpoints": [{"line": number}, 7, null], "variablesReference": number});
                let reaction = client.ask(COMMANDS[command], arguments);
                let is_answer = matches!(reaction.messages.first(), Some(Message::Response(_)));
                prop_assert!(is_answer);
            }
        }
    }
}
