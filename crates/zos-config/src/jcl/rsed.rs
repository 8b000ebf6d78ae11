//! The RSED procedure: `PARM='PGM <HOME>/bin/rsed.sh <IVP> -C<CNFG> -P<PORT>'`, in the spellings that were seen (from memory): the
//! configuration directory as `-C<dir>` or a word that begins with `/`, the port as `-P<port>` or a number.

use super::{Run, Step};
use crate::source::Placed;
use crate::substitute::Resolved;

/// What an RSED procedure says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rsed {
    /// The port; nothing means what rse.env says, or 4035.
    pub port: Option<Placed<Resolved>>,
    /// The directory of rse.env.
    pub configuration: Option<String>,
}

/// Reads the step of the RSE daemon.
pub fn rsed(run: &Run, step: &Step) -> Rsed {
    let mut found = Rsed::default();
    let Some(parm) = &step.parm else { return found };
    let place = |name: &str| run.symbol(name).map_or(parm.place, |symbol| symbol.place);
    for word in parm.value.words() {
        let is_port = |text: &str| text.starts_with(|c: char| c.is_ascii_digit() || c == '&');
        let option = |letters: [&str; 2]| letters.iter().find_map(|letter| word.text.strip_prefix(letter));
        if let Some(port) = option(["-P", "-p"]) {
            let symbolic = word.symbolic.get(2..).unwrap_or(port);
            found.port = (!port.is_empty()).then(|| Placed::new(word.part(port, symbolic), place("PORT")));
        } else if let Some(directory) = option(["-C", "-c"]) {
            found.configuration = Some(directory.to_owned());
        } else if is_port(&word.text) {
            found.port = Some(Placed::new(word, place("PORT")));
        } else if word.text.starts_with('/') && !word.text.ends_with("rsed.sh") {
            found.configuration = Some(word.text);
        }
    }
    found
}
