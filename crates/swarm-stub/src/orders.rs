//! What a swarm is told on standard input, one order per line.

use std::str::FromStr;

use dbm_protocol::{JobName, UserId};
use tokio::sync::mpsc;

/// Orders that were read and not yet begun; whoever writes faster waits.
const WAITING: usize = 256;
/// Longest line that can be an order.
const LONGEST: usize = 64;

/// An order to users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserOrder {
    /// `logon USER`.
    Logon(UserId),
    /// `logoff USER`.
    Logoff(UserId),
    /// `drain`: all log off, and sessions that run come to their end.
    Drain,
}

/// An order to jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOrder {
    /// `job JOB USER`: a job that wants this user's workstation.
    Job(JobName, UserId),
    /// `drain`: those that run come to their end.
    Drain,
}

impl FromStr for UserOrder {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let user = |word: &str| word.parse().map_err(|e: dbm_protocol::BadName| e.to_string());
        match words.as_slice() {
            ["logon", id] => Ok(Self::Logon(user(id)?)),
            ["logoff", id] => Ok(Self::Logoff(user(id)?)),
            ["drain"] => Ok(Self::Drain),
            _ => Err(format!("found `{}`, expected `logon USER`, `logoff USER` or `drain`", start(line))),
        }
    }
}

impl FromStr for JobOrder {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let text = |e: dbm_protocol::BadName| e.to_string();
        match words.as_slice() {
            ["job", job, user] => Ok(Self::Job(job.parse().map_err(text)?, user.parse().map_err(text)?)),
            ["drain"] => Ok(Self::Drain),
            _ => Err(format!("found `{}`, expected `job JOB USER` or `drain`", start(line))),
        }
    }
}

fn start(line: &str) -> String {
    line.chars().take(LONGEST).collect()
}

/// The orders on standard input; see [`traffic_stub::orders::from_stdin`].
pub fn from_stdin<T>() -> mpsc::Receiver<T>
where
    T: FromStr<Err = String> + Send + 'static,
{
    traffic_stub::orders::from_stdin(WAITING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_and_nonsense_is_refused_in_words() {
        assert_eq!("job J1 U7".parse(), Ok(JobOrder::Job("J1".parse().expect("job"), "U7".parse().expect("user"))));
        assert_eq!("logoff U7".parse(), Ok(UserOrder::Logoff("U7".parse().expect("user"))));
        assert_eq!(("drain".parse(), "drain".parse()), (Ok(JobOrder::Drain), Ok(UserOrder::Drain)));
        for (line, expected) in
            [("job J1", "expected `job JOB USER`"), ("job j1 U7", "job name"), ("logon U7", "expected")]
        {
            let problem = line.parse::<JobOrder>().expect_err(line);
            assert!(problem.contains(expected), "{problem}");
        }
        assert!("logon 7U".parse::<UserOrder>().expect_err("no user id").contains("user id"));
    }
}
