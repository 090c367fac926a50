use std::{convert::Infallible, sync::Mutex};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::AbortHandle,
};

use super::*;

const LIMITS: Limits = Limits { header: Duration::from_millis(300), idle: Duration::from_millis(300) };
/// What a machine that is busy with something else may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers with a text of as many bytes as the path says.
struct Letters;

impl Serve<TcpStream> for Letters {
    type Io = TcpStream;
    type Body = String;
    type Service = LettersService;

    async fn open(&self, io: TcpStream, _peer: Option<IpAddr>) -> io::Result<Opened<TcpStream, LettersService>> {
        Ok(Opened { io, service: LettersService, version: Version::Http1 })
    }
}

struct LettersService;

impl Service<Request<Incoming>> for LettersService {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let length = request.uri().path().trim_start_matches('/').parse().unwrap();
        std::future::ready(Ok(Response::new("a".repeat(length))))
    }
}

/// Answers with a long text over HTTP/2, none of which is told to move.
struct Streams;

struct StreamsService {
    transfers: Transfers,
    movers: Mutex<Vec<Mover>>,
}

impl Serve<TcpStream> for Streams {
    type Io = TcpStream;
    type Body = String;
    type Service = StreamsService;

    async fn open(&self, io: TcpStream, _peer: Option<IpAddr>) -> io::Result<Opened<TcpStream, StreamsService>> {
        let transfers = Transfers::default();
        let service = StreamsService { transfers: transfers.clone(), movers: Mutex::default() };
        Ok(Opened { io, service, version: Version::Http2(transfers) })
    }
}

impl Service<Request<Incoming>> for StreamsService {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn call(&self, _: Request<Incoming>) -> Self::Future {
        self.movers.lock().unwrap().push(self.transfers.begin());
        std::future::ready(Ok(Response::new("a".repeat(100_000))))
    }
}

struct Scene {
    address: SocketAddr,
    counters: Arc<Counters>,
    server: AbortHandle,
}

impl Scene {
    async fn new() -> Self {
        Self::of(Letters).await
    }

    async fn of(serve: impl Serve<TcpStream>) -> Self {
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counters = Arc::new(Counters::default());
        let server = Server::new(serve, Occupancy::new(3, 2), LIMITS, Arc::clone(&counters));
        let server = tokio::spawn(async move { server.run(listener).await }).abort_handle();
        Self { address, counters, server }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    fn counter(&self, name: &str) -> u64 {
        self.counters.each().find(|(counter, _)| *counter == name).unwrap().1
    }
}

async fn ask(stream: &mut TcpStream, length: usize) -> String {
    let request = format!("GET /{length} HTTP/1.1\r\nHost: lab\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let count = timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer[..count].to_vec()).unwrap()
}

/// Waits until the other end closes, well or not.
async fn closed(stream: &mut TcpStream) -> usize {
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it stays open");
    ended.map_or_else(|_| rest.len(), |_| rest.len())
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other_and_ends_when_nothing_more_comes() {
    let scene = Scene::new().await;
    let mut stream = scene.connect().await;
    for _ in 0..3 {
        assert!(ask(&mut stream, 3).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    assert_eq!(closed(&mut stream).await, 0);
    let counted = ["http_connection", "http_timed_out", "http_stalled", "http_broken"].map(|name| scene.counter(name));
    assert_eq!(counted, [1, 0, 0, 0]);
}

#[tokio::test]
async fn who_is_one_too_many_is_closed_and_counted() {
    let scene = Scene::new().await;
    let (mut first, mut second) = (scene.connect().await, scene.connect().await);
    for stream in [&mut first, &mut second] {
        ask(stream, 1).await;
    }
    assert_eq!(closed(&mut scene.connect().await).await, 0);
    assert_eq!(scene.counter("http_refuse_full_for_address"), 1);
    drop(first);
    assert_eq!(closed(&mut second).await, 0);
    assert!(ask(&mut scene.connect().await, 1).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_header_has_its_time_however_its_bytes_trickle() {
    let scene = Scene::new().await;
    let mut stream = scene.connect().await;
    for byte in b"GET / HTTP/1.1\r\nSlow: ".iter().chain([b'a'; 100].iter()) {
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    closed(&mut stream).await;
    assert_eq!((scene.counter("http_timed_out"), scene.counter("http_broken")), (1, 0));
}

#[tokio::test]
async fn a_header_has_its_length() {
    let scene = Scene::new().await;
    let mut stream = scene.connect().await;
    let header = format!("GET /1 HTTP/1.1\r\nLong: {}\r\n\r\n", "a".repeat(2 * HEADER_MAX));
    stream.write_all(header.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_and_counted() {
    let scene = Scene::new().await;
    let mut stream = scene.connect().await;
    ask(&mut stream, 64 << 20).await;
    sleep(2 * LIMITS.idle).await;
    while scene.counter("http_stalled") == 0 {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(closed(&mut stream).await < 64 << 20);
}

/// A frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

#[tokio::test]
async fn who_shuts_a_window_of_http2_is_cut_off_however_alive_it_is() {
    let scene = Scene::of(Streams).await;
    let mut stream = scene.connect().await;
    let shut = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let get = frame(1, 5, 1, b"\x82\x86\x84\x01\x03lab");
    stream.write_all(&[&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &shut, &get].concat()).await.unwrap();
    let ping = frame(6, 0, 0, &[0; 8]);
    let pinged = async {
        while stream.write_all(&ping).await.is_ok() {
            sleep(LIMITS.idle / 6).await;
        }
    };
    timeout(PATIENCE, pinged).await.expect("it stays open");
    assert_eq!((scene.counter("http_stalled"), scene.counter("http_timed_out")), (1, 1));
}

#[tokio::test]
async fn who_reads_slowly_gets_all_of_it() {
    const LENGTH: usize = 16 << 20;
    let scene = Scene::new().await;
    let mut stream = scene.connect().await;
    let mut read = ask(&mut stream, LENGTH).await.split_once("\r\n\r\n").unwrap().1.len();
    let mut bytes = vec![0; 2 << 20];
    while read < LENGTH {
        sleep(LIMITS.idle / 3).await;
        read += timeout(PATIENCE, stream.read(&mut bytes)).await.unwrap().unwrap();
    }
    assert_eq!(scene.counter("http_stalled"), 0);
}

#[tokio::test]
async fn what_ends_the_server_ends_its_connections() {
    let scene = Scene::new().await;
    let mut stream = scene.connect().await;
    ask(&mut stream, 1).await;
    scene.server.abort();
    assert_eq!(closed(&mut stream).await, 0);
}
