//! PROC JCL: statements, symbols, and the started tasks that they make.

mod dbgmgr;
mod rsed;
mod start;
pub mod statement;

pub use dbgmgr::{DebugManager, debug_manager};
pub use rsed::{Rsed, rsed};
pub use start::{Dd, Run, Start, Step, run};

/// What a procedure starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// EQAZPCM.
    DebugManager,
    /// The RSE daemon: BPXBATSL or BPXBATCH with `rsed.sh`.
    Rsed,
    /// IEASYMU2 or IEASYMUP, which change system symbols: the EQADVIPA job.
    SymbolUpdate,
}

impl Run {
    /// The first step that is one of the programs known here.
    pub fn program(&self) -> Option<(Program, &Step)> {
        self.steps.iter().find_map(|step| Some((step.kind()?, step)))
    }
}

impl Step {
    pub(crate) fn kind(&self) -> Option<Program> {
        let parm = self.parm.as_ref().map_or("", |parm| parm.value.text.as_str());
        match self.program.as_str() {
            "EQAZPCM" => Some(Program::DebugManager),
            "IEASYMU2" | "IEASYMUP" => Some(Program::SymbolUpdate),
            "BPXBATSL" | "BPXBATCH" if parm.contains("rsed") => Some(Program::Rsed),
            _ => None,
        }
    }
}
