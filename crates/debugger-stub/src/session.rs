//! The debug conversation on the client's socket: moves bytes between the socket and the [`Adapter`].

use std::time::Duration;

use dbm_protocol::dap::{self, Message};
use evidence::{Emitter, What};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::adapter::{Adapter, Reaction};

/// How long a client may take to read what it is sent, and to hang up after the program's end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the client until the program has run to its end. The client may think at a breakpoint as long as it likes.
///
/// # Errors
/// One sentence that says how the client was lost before the end.
pub async fn serve(
    reading: impl AsyncRead + Unpin,
    mut writing: impl AsyncWrite + Unpin,
    mut adapter: Adapter,
    emitter: &Emitter,
) -> Result<(), String> {
    let mut reader = dap::Reader::new(reading);
    loop {
        let next = if adapter.has_ended() {
            // Nothing more is needed from the client; a quick good bye keeps the connection's end clean.
            match timeout(PATIENCE, reader.read()).await {
                Ok(Ok(Some(next))) => next,
                _ => return Ok(()),
            }
        } else {
            let next = reader.read().await.map_err(|e| format!("lost the client's engine: {e}"))?;
            next.ok_or("the client's engine closed the connection before the program's end")?
        };
        let Message::Request(request) = next else {
            return Err("the client's engine sent an answer or an event, expected a request".to_owned());
        };
        tracing::debug!(command = request.command, "request");
        let Reaction { messages, stop } = adapter.handle(&request);
        if let Some(stop) = stop {
            tracing::info!(line = stop.line, reason = stop.reason, "stopped");
            emitter.emit(What::ProgramStopped { reason: stop.reason.to_owned(), line: stop.line });
        }
        let sent = async {
            for message in &messages {
                dap::write(&mut writing, message).await?;
            }
            Ok::<_, dap::DapError>(())
        };
        match timeout(PATIENCE, sent).await {
            Ok(Ok(())) => {}
            _ if adapter.has_ended() => return Ok(()),
            Ok(Err(e)) => return Err(format!("lost the client's engine: {e}")),
            Err(_) => return Err(format!("the client's engine did not read for {PATIENCE:?}")),
        }
        if adapter.is_disconnected() {
            return Ok(());
        }
    }
}
