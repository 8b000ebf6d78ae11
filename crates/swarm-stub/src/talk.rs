//! The debug conversation of swarms, over the Debug Adapter Protocol and as short as it can be: `initialize`, in which the client
//! says whose workstation it is and the debugger which job on which system, and `disconnect`. The debugger closes first, so that its
//! end waits (TIME-WAIT) and a client's port is free at once.

use std::time::Duration;

use dbm_protocol::dap::{self, Builder, Message, Request};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// What the debugger says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The job.
    pub job: String,
    /// Its system.
    pub system: String,
}

/// The client's part: says who it is and reads who answers, stays for this time, and says good bye. `answered` is told who answered as
/// soon as that is known.
///
/// # Errors
/// How the conversation broke off.
pub async fn as_client(
    mut stream: TcpStream,
    user: &str,
    stays: Duration,
    answered: &mut Option<Identity>,
) -> Result<(), String> {
    let (reading, mut writing) = stream.split();
    let (mut reader, mut builder) = (dap::Reader::new(reading), Builder::default());
    let hello = builder.request("initialize", json!({"clientID": user, "adapterID": "zos-debugger"}));
    say(&mut writing, Message::Request(hello)).await?;
    match hear(&mut reader).await? {
        Some(Message::Response(response)) if response.success => {
            let word = |key: &str| response.body[key].as_str().map(str::to_owned);
            let identity = word("job").zip(word("system")).map(|(job, system)| Identity { job, system });
            *answered = Some(identity.ok_or("the debugger did not say who it is")?);
        }
        Some(other) => return Err(format!("the debugger said {other:?}, expected an answer to `initialize`")),
        None => return Err("the debugger closed without an answer".to_owned()),
    }
    sleep(stays).await; // the person at the workstation thinks
    say(&mut writing, Message::Request(builder.request("disconnect", Value::Null))).await?;
    match hear(&mut reader).await? {
        Some(Message::Response(response)) if response.success => {}
        other => return Err(format!("the debugger said {other:?}, expected an answer to `disconnect`")),
    }
    match hear(&mut reader).await? {
        None => Ok(()),
        Some(more) => Err(format!("the debugger said {more:?} after the end")),
    }
}

/// The debugger's part. `first` is called with the user that the client says it has, at its first message.
///
/// # Errors
/// How the conversation broke off.
pub async fn as_debugger(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    own: &Identity,
    first: impl FnOnce(Option<&str>),
) -> Result<(), String> {
    let (reading, mut writing) = tokio::io::split(stream);
    let (mut reader, mut builder) = (dap::Reader::new(reading), Builder::default());
    let hello = request(&mut reader, "initialize").await?;
    first(hello.arguments["clientID"].as_str());
    let body = json!({"job": own.job, "system": own.system});
    say(&mut writing, builder.response(&hello, body)).await?;
    let bye = request(&mut reader, "disconnect").await?;
    say(&mut writing, builder.response(&bye, Value::Null)).await
}

async fn request(reader: &mut dap::Reader<impl AsyncRead + Unpin>, command: &str) -> Result<Request, String> {
    match hear(reader).await? {
        Some(Message::Request(request)) if request.command == command => Ok(request),
        Some(other) => Err(format!("the client said {other:?}, expected `{command}`")),
        None => Err(format!("the client closed, expected `{command}`")),
    }
}

async fn hear(reader: &mut dap::Reader<impl AsyncRead + Unpin>) -> Result<Option<Message>, String> {
    reader.read().await.map_err(|e| format!("the conversation broke off: {e}"))
}

async fn say(to: &mut (impl AsyncWriteExt + Unpin), message: Message) -> Result<(), String> {
    let bytes = dap::encode(&message).map_err(|e| e.to_string())?;
    to.write_all(&bytes).await.map_err(|e| format!("the conversation broke off: {e}"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn ends() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let (client, debugger) = tokio::join!(TcpStream::connect(address), listener.accept());
        (client.expect("connect"), debugger.expect("accept").0)
    }

    #[tokio::test]
    async fn both_learn_who_the_other_is() {
        let (client, mut debugger) = ends().await;
        let own = Identity { job: "J0000001".into(), system: "LPAR2".into() };
        let (mut answered, mut told) = (None, None);
        let serve = async {
            let served = as_debugger(&mut debugger, &own, |user| told = user.map(str::to_owned)).await;
            drop(debugger);
            served
        };
        let (asked, served) = tokio::join!(as_client(client, "U7", Duration::ZERO, &mut answered), serve);
        assert_eq!((asked, served), (Ok(()), Ok(())));
        assert_eq!((answered.as_ref(), told.as_deref()), (Some(&own), Some("U7")));
    }

    #[tokio::test]
    async fn a_connection_that_ends_too_early_is_no_success() {
        let (client, mut debugger) = ends().await;
        let own = Identity { job: "J0000001".into(), system: "LPAR2".into() };
        drop(client);
        let served = as_debugger(&mut debugger, &own, |_| ()).await;
        assert!(served.expect_err("nobody is there").contains("expected `initialize`"));
        let (client, debugger) = ends().await;
        drop(debugger);
        let mut answered = None;
        assert!(as_client(client, "U7", Duration::ZERO, &mut answered).await.is_err() && answered.is_none());
    }
}
