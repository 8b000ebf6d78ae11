//! Metrics for whoever asks by HTTP: `GET /metrics`.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::run::Event;

/// Those who ask at once; more wait.
const MOST: usize = 8;
/// How long one may take for question and answer.
const LONGEST: Duration = Duration::from_secs(5);

/// Answers until Debug Manager ends.
pub(super) async fn serve(listener: TcpListener, core: mpsc::Sender<Event>) {
    static PLACES: Semaphore = Semaphore::const_new(MOST);
    loop {
        let Ok(place) = PLACES.acquire().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let core = core.clone();
                tokio::spawn(async move {
                    let _ = timeout(LONGEST, answer(stream, core)).await;
                    drop(place);
                });
            }
            // No descriptor is free, or the one who asked has gone.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(stream: TcpStream, core: mpsc::Sender<Event>) {
    let service = service_fn(|request: Request<Incoming>| {
        let core = core.clone();
        async move { Ok::<_, Infallible>(respond(&request, &core).await) }
    });
    let mut server = http1::Builder::new();
    server.keep_alive(false).max_buf_size(16 * 1024);
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(request: &Request<Incoming>, core: &mpsc::Sender<Event>) -> Response<Full<Bytes>> {
    /// Of the text format.
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let plain = |status, text: &'static str| (status, "text/plain", Bytes::from_static(text.as_bytes()));
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            let (sender, receiver) = oneshot::channel();
            let _ = core.send(Event::Scrape(sender)).await;
            match receiver.await {
                Ok(page) => (StatusCode::OK, OPEN_METRICS, Bytes::from(page)),
                Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "Debug Manager ends\n"),
            }
        }
        (_, "/metrics") => plain(StatusCode::METHOD_NOT_ALLOWED, "GET was expected\n"),
        _ => plain(StatusCode::NOT_FOUND, "/metrics was expected\n"),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}
