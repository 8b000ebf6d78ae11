//! Command line of the debugger stub.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use dbm_protocol::testopt::TestOption;
use dbm_protocol::{JobName, UserId};
use debugger_stub::job::{self, Job};
use debugger_stub::outcome::{How, Outcome};
use evidence::{Emitter, What};
use tokio::signal::unix::{SignalKind, signal};

/// A batch job under the TEST runtime option.
///
/// Finds Debug Manager by its name/token pair, waits for the user's workstation, takes its socket, and lets it debug the
/// built-in payroll program (lines 10 to 20) over the Debug Adapter Protocol. Exit status: 0 the program was debugged to its
/// end, 8 it was not, 2 the command is wrong. SIGTERM cancels the job.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    /// The job's name
    #[arg(long)]
    job: JobName,
    /// The id that the job runs under; its workstation is wanted when TEST names no user
    #[arg(long)]
    user: UserId,
    /// The TEST runtime option; only the target DBMDT uses Debug Manager
    #[arg(long, value_name = "TEST(...)")]
    test: String,
    /// The program under debug, as Debug Manager's D,U shows it
    #[arg(long, default_value = "EQATST")]
    module: String,
    /// Where the system keeps its name/token pairs
    #[arg(long, value_name = "DIR", default_value = "/run/zos")]
    run_dir: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  debugger-stub --job EQATST --user IBMUSER --test 'TEST(,,,DBMDT:*)'
      wait for the workstation of IBMUSER, the user of the job
  debugger-stub --job NIGHTLY --user STCUSER --test 'TEST(ALL,,PROMPT,DBMDT%IBMUSER:*)'
      a job under STCUSER waits for the workstation of IBMUSER";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let emitter = Emitter::from_env(cli.job.as_str());
    let option: TestOption = match cli.test.parse() {
        Ok(option) => option,
        Err(e) => return refuse(&emitter, &format!("--test: {e}")),
    };
    emitter.emit(What::JobStarted { job: cli.job.to_string(), job_user: cli.user.to_string(), test: cli.test });
    let user = option.user.unwrap_or(cli.user);
    let job = Job { name: cli.job, user, module: cli.module, run_dir: cli.run_dir };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return refuse(&emitter, &format!("no runtime: {e}")),
    };
    let outcome = runtime.block_on(run_or_cancel(&job, &emitter));
    emitter.emit(What::JobEnded { how: outcome.how.as_str().to_owned(), reason: outcome.reason.clone() });
    tracing::info!(job = %job.name, code = outcome.condition_code(), "job ended, {outcome}");
    ExitCode::from(outcome.condition_code())
}

async fn run_or_cancel(job: &Job, emitter: &Emitter) -> Outcome {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(e) => return Outcome::new(How::Lost, format!("cannot listen for SIGTERM: {e}")),
    };
    tokio::select! {
        outcome = job::run(job, emitter) => outcome,
        _ = terminate.recv() => Outcome::new(How::Cancelled, "the job was cancelled (SIGTERM)"),
    }
}

fn refuse(emitter: &Emitter, reason: &str) -> ExitCode {
    emitter.emit(What::Fatal { reason: reason.to_owned() });
    eprintln!("error: {reason}");
    ExitCode::from(2)
}
