//! The address of `--metrics-addr`: one page, for whoever may reach it.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::error::{Error, Result};

/// A client that is slower than this is left alone.
const PATIENCE: Duration = Duration::from_secs(5);

/// No scraper sends more.
const LONGEST_REQUEST: usize = 8 * 1024;

/// Serves `page` at `address` from now on, and says where that is. Without a host it is this machine alone.
///
/// # Errors
/// An address that is none, or that cannot be had.
pub(super) async fn serve(address: &str, page: impl Fn() -> String + Send + Sync + 'static) -> Result<String> {
    let full = match address.strip_prefix(':').unwrap_or(address) {
        port if port.parse::<u16>().is_ok() => format!("127.0.0.1:{port}"),
        _ => address.to_string(),
    };
    let refused = |error| {
        Error::input(format!("metrics cannot be served at `{address}`"))
            .because(error)
            .hint("nothing was run; --metrics-addr takes a port, :PORT or HOST:PORT")
    };
    let listener = TcpListener::bind(&full).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    let page = Arc::new(page);
    tokio::spawn(async move {
        loop {
            let Ok((client, _)) = listener.accept().await else {
                // Too many open files, and the like: it may pass.
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            };
            let page = Arc::clone(&page);
            // Whoever goes away or sends nothing harms nobody else.
            tokio::spawn(async move { tokio::time::timeout(PATIENCE, answer(client, &*page)).await });
        }
    });
    Ok(format!("http://{bound}/metrics"))
}

/// One request, one answer.
async fn answer(mut client: TcpStream, page: &(dyn Fn() -> String + Send + Sync)) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if request.len() > LONGEST_REQUEST || client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let first = String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, body) = match (method, path.split('?').next().unwrap_or_default()) {
        ("GET" | "HEAD", "/metrics") => ("200 OK", page()),
        ("GET" | "HEAD", _) => ("404 Not Found", "the metrics are at /metrics\n".to_string()),
        _ => ("405 Method Not Allowed", "only GET and HEAD\n".to_string()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Allow: GET, HEAD\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await?;
    if method != "HEAD" {
        client.write_all(body.as_bytes()).await?;
    }
    client.shutdown().await
}
