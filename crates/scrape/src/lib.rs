//! Metrics for whoever asks by HTTP: `GET /metrics`, as Prometheus does. Few may ask at once, and none may take long.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Those who ask at once; more wait.
const MOST: usize = 8;
/// How long one may take for question and answer.
const LONGEST: Duration = Duration::from_secs(5);
/// The text format of OpenMetrics 1.0, which Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers, and does not end. `page` gives the metrics in the text format of OpenMetrics; nothing when there are none any more.
pub async fn serve<Page>(listener: TcpListener, page: impl Fn() -> Page + Clone + Send + Sync + 'static)
where
    Page: Future<Output = Option<String>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let page = page.clone();
                tokio::spawn(async move {
                    let _ = timeout(LONGEST, answer(stream, page)).await;
                    drop(place);
                });
            }
            // No descriptor is free, or the one who asked has gone.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer<Page>(stream: TcpStream, page: impl Fn() -> Page)
where
    Page: Future<Output = Option<String>>,
{
    let service = service_fn(|request: Request<Incoming>| {
        let page = page();
        async move { Ok::<_, Infallible>(respond(&request, page).await) }
    });
    let mut server = http1::Builder::new();
    server.keep_alive(false).max_buf_size(16 * 1024);
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(request: &Request<Incoming>, page: impl Future<Output = Option<String>>) -> Response<Full<Bytes>> {
    let plain = |status, text: &'static str| (status, "text/plain", Bytes::from_static(text.as_bytes()));
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => match page.await {
            Some(page) => (StatusCode::OK, OPEN_METRICS, Bytes::from(page)),
            None => plain(StatusCode::SERVICE_UNAVAILABLE, "it ends\n"),
        },
        (_, "/metrics") => plain(StatusCode::METHOD_NOT_ALLOWED, "GET was expected\n"),
        _ => plain(StatusCode::NOT_FOUND, "/metrics was expected\n"),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn ask(at: SocketAddr, what: &str) -> String {
        let mut stream = TcpStream::connect(at).await.expect("connected");
        stream.write_all(format!("{what} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.expect("asked");
        let mut said = String::new();
        timeout(LONGEST * 2, stream.read_to_string(&mut said)).await.expect("an answer in time").expect("read");
        said
    }

    #[tokio::test(flavor = "current_thread")]
    async fn it_answers_for_metrics_and_for_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("address");
        tokio::spawn(serve(listener, || async { Some("users 3\n# EOF\n".to_owned()) }));
        let page = ask(at, "GET /metrics").await;
        assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("users 3\n# EOF\n"), "{page}");
        assert!(page.contains("content-type: application/openmetrics-text; version=1.0.0"), "{page}");
        assert!(ask(at, "POST /metrics").await.starts_with("HTTP/1.1 405"));
        assert!(ask(at, "GET /").await.starts_with("HTTP/1.1 404"));
        assert!(ask(at, "what").await.starts_with("HTTP/1.1 400"));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn when_it_ends_it_says_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listener.local_addr().expect("address");
        tokio::spawn(serve(listener, || async { None }));
        assert!(ask(at, "GET /metrics").await.starts_with("HTTP/1.1 503"));
    }
}
