//! `lab fault`: what goes wrong in a sysplex that is up, in the words of scenario files.

use clap::Args;

use super::cli::Which;
use super::protocol::Answer;
use crate::operator::Refusal;
use crate::plex::Plex;
use crate::plex::faults::FaultError;
use crate::{exit, scenario};

pub(super) const EXAMPLES: &str = "\
A fault is there when the command ends: its effect has been seen. With `for` it goes by itself, with `at` or `after` it comes later;
`heal` mends it, and a sysplex that goes down takes its faults along. The kinds and keys are those of scenario files:

  firewall    from= to= allow= | drop= | reject= [with=reset|icmp]     packets of workstations to TCP ports
  partition   between= and= [segment=lan|xcf|both]                     two groups of hosts
  loss        on= percent= [segment=]                                  by chance
  rate        on= per_second=256KiB [segment=]                         what is too fast is lost
  netem       on= delay= [jitter=] [reorder=] [duplicate=] [segment=]  late, out of order, twice
  link        of= [segment=]                                           pulled out
  reset       on= [ports=]                                             established connections
  freeze      on= [task=]                                              a host, or one task
  slow        task= on= percent=                                       runs so much of the time
  kill        task= on=                                                `heal` starts a started task again
  restart     task= on=
  crash       lpar=                                                    `heal` is the IPL
  disk        on= [at=/run|/tmp]                                       full
  descriptors task= on= [most=]                                        no more of them
  clock       on= ahead=15m | behind=                                  for programs that are started then
  any of them [name=] [for=2s] [at=1s | after=EVENT]

Examples:
  lab fault partition between=LPAR1 and=LPAR2,LPAR3 segment=xcf for=2s
  lab fault firewall from=WS1 drop=5335 name=SITE
  lab fault heal SITE
  lab fault ls

Exit status: 0 done, 1 it did not come about or was not seen to, 2 the words mean nothing there, 3 this machine cannot do it.";

/// `lab fault`.
#[derive(Debug, Args)]
pub(crate) struct Fault {
    #[command(flatten)]
    pub(super) which: Which,
    /// A kind and KEY=VALUE..., `heal NAME`, or `ls`
    #[arg(required = true, value_name = "WORDS")]
    pub(super) words: Vec<String>,
}

/// Keys of the fault itself; others are those of its kind.
const OWN_KEYS: [&str; 3] = ["name", "for", "at"];
/// Keys whose value is a list, be it of one.
const LISTS: [&str; 4] = ["ports", "allow", "drop", "reject"];

/// Does what the words say; what was seen of it.
pub(super) async fn serve(plex: &Plex, words: &[String]) -> Result<Answer, Refusal> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let said = match words.as_slice() {
        ["ls"] => {
            let standing = plex.faults.standing().await;
            let line = |(name, what): &(String, String)| format!("{name}: {what}");
            if standing.is_empty() {
                "nothing is wrong".to_owned()
            } else {
                standing.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        }
        ["heal", name] => plex.faults.heal(name).await.map(|seen| seen.shown).map_err(refusal)?,
        ["heal", ..] => {
            return Err(Refusal::bad("expected `heal` and the name of a fault that stands; see `lab fault ls`".into()));
        }
        _ => begin(plex, &words).await?,
    };
    Ok(Answer::Printed(said))
}

async fn begin(plex: &Plex, words: &[&str]) -> Result<String, Refusal> {
    let text = as_toml(words).map_err(Refusal::bad)?;
    let taken = plex.faults.standing().await.into_iter().map(|(name, _)| name).collect();
    let planned = scenario::fault::read(&text, &plex.sysplex, taken).map_err(Refusal::bad)?;
    let seen = plex.faults.plan(&planned).await.map_err(refusal)?;
    let what = scenario::fault::describe(&planned);
    Ok(seen.map_or_else(|| what.clone(), |seen| format!("{what}\n{}", seen.shown)))
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn refusal(error: FaultError) -> Refusal {
    let status = match error {
        FaultError::Refused(_) => exit::BAD_INPUT,
        FaultError::NotHere(_) => exit::CANNOT_RUN,
        FaultError::NotSeen(_) | FaultError::Lab(_) => exit::FAILED,
    };
    Refusal { status, reason: error.to_string() }
}

/// The words as a scenario file would have them.
fn as_toml(words: &[&str]) -> Result<String, String> {
    let [kind, keys @ ..] = words else { return Err("no kind of fault".into()) };
    if !kind.chars().all(|c| c.is_ascii_lowercase()) {
        return Err(format!("`{}` is no kind of fault: expected such as `link of=LPAR1`", kind.escape_default()));
    }
    let (mut own, mut of_kind) = (Vec::new(), Vec::new());
    for word in keys {
        let (key, value) =
            word.split_once('=').ok_or_else(|| format!("`{}`: expected KEY=VALUE", word.escape_default()))?;
        if !key.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            return Err(format!("`{}` is no key", key.escape_default()));
        }
        if key == "after" {
            own.push(format!("after = {{ event = {} }}", quoted(value)));
        } else if OWN_KEYS.contains(&key) {
            own.push(format!("{key} = {}", quoted(value)));
        } else if value.contains(',') || LISTS.contains(&key) {
            let all: Vec<String> = value.split(',').map(scalar).collect();
            of_kind.push(format!("{key} = [{}]", all.join(", ")));
        } else {
            of_kind.push(format!("{key} = {}", scalar(value)));
        }
    }
    own.push(format!("{kind} = {{ {} }}", of_kind.join(", ")));
    Ok(format!("fault = {{ {} }}\n", own.join(", ")))
}

/// A number as it is, anything else in quotes.
fn scalar(value: &str) -> String {
    if value.parse::<u32>().is_ok() { value.to_owned() } else { quoted(value) }
}

fn quoted(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use sysplex::Sysplex;

    use super::*;

    fn read(words: &str) -> Result<String, String> {
        let words: Vec<&str> = words.split(' ').collect();
        let planned = scenario::fault::read(&as_toml(&words)?, &Sysplex::uniform(3), vec!["loss-1".into()])?;
        Ok(scenario::fault::describe(&planned))
    }

    #[test]
    fn words_are_those_of_scenario_files() {
        for (words, said) in [
            (
                "partition between=LPAR1 and=LPAR2,LPAR3 segment=xcf for=2s",
                "fault partition-1, for 2s: XCF is parted between LPAR1 and LPAR2, LPAR3",
            ),
            ("firewall from=WS1 drop=5335 name=SITE", "fault SITE: a firewall drops what WS1 say to port 5335"),
            ("loss on=LPAR1 percent=30 at=1s", "fault loss-2 in 1s: 30 % of the packets of LPAR1 are lost on the LAN"),
            (
                "kill task=RSED on=LPAR2 after=user_registered",
                "fault kill-1 after user_registered: RSED on LPAR2 is killed",
            ),
            ("reset on=LPAR1 ports=4035", "fault reset-1: the connections of LPAR1 with port 4035 are reset"),
        ] {
            assert_eq!(read(words).as_deref(), Ok(said), "{words}");
        }
    }

    #[test]
    fn what_means_nothing_is_said() {
        for (words, part) in [
            ("loss on=LPAR9 percent=30", "no LPAR or workstation `LPAR9`"),
            ("loss on=LPAR1 percent=101", "101 is out of range: expected 1 to 100"),
            ("loss on=LPAR1", "percent"),
            ("lost on=LPAR1", "lost"),
            ("link of=WS1 segment=xcf", "no LPAR `WS1`"),
            ("loss", "missing key"),
            ("link LPAR1", "expected KEY=VALUE"),
            ("loss name=loss-1 on=LPAR1 percent=1", "named `loss-1`"),
            ("kill task=RSED on=LPAR2 after=user_registred", "no event `user_registred`"),
        ] {
            let said = read(words).expect_err(words);
            assert!(said.contains(part), "no `{part}` in {said}");
        }
    }
}
