//! Files for machines that boot: `/mac/<mac>/<file>` is `<mac>/<file>` of a directory, or else its `default/<file>`.

mod counters;
mod path;

use std::{
    convert::Infallible,
    io,
    net::IpAddr,
    ops::Range,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use hyper::{
    HeaderMap, Method, Request, Response,
    body::Incoming,
    header::{
        ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
        InvalidHeaderValue, LAST_MODIFIED, RETRY_AFTER,
    },
    service::Service,
};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::{self, timeout},
};
use tracing::debug;

use self::{counters::Answer, path::Path};
pub use self::{counters::Counters, path::PATH_MAX};
use super::{
    body::Body,
    conditions::{Validators, Verdict},
    connection::{Opened, Serve, Transfers, Version},
    representation::Representation,
    sendfile::{FileStream, Outgoing},
    transfer::{Happening, Observation, Observe, OpenFile, Transfer},
};
use crate::{
    event::Protocol,
    tree::{Tree, TreeError},
    wire::MacAddr,
};

/// Is this machine served?
pub type IsServed = dyn Fn(MacAddr) -> bool + Send + Sync;

/// How long a request waits until one of too many files is closed. Then whoever asks may ask again.
const OPEN_PATIENCE: Duration = Duration::from_secs(3);
/// When, in seconds.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("5");

/// What all connections answer from.
pub struct Netboot {
    tree: ArcSwap<Tree>,
    /// Files that may yet be opened.
    files: Arc<Semaphore>,
    is_served: Box<IsServed>,
    counters: Arc<Counters>,
    /// Who is told of transfers.
    observe: Arc<dyn Observe>,
}

/// Counts transfers, and passes on what is told of them.
struct Counting<O> {
    observe: O,
    counters: Arc<Counters>,
}

impl<O: Observe> Observe for Counting<O> {
    fn observe(&self, observation: Observation) {
        self.counters.transfer(&observation);
        self.observe.observe(observation);
    }
}

/// Netboot over plain HTTP: files go past this process.
pub struct PlainNetboot(pub Arc<Netboot>);

impl Serve<TcpStream> for PlainNetboot {
    type Io = FileStream;
    type Body = Body;
    type Service = NetbootService;

    async fn open(&self, stream: TcpStream, _peer: Option<IpAddr>) -> io::Result<Opened<FileStream, NetbootService>> {
        let outgoing = Outgoing::default();
        let service = NetbootService { netboot: Arc::clone(&self.0), way: Way::Sent(outgoing.clone()) };
        Ok(Opened { io: FileStream::new(stream, outgoing)?, service, version: Version::Http1 })
    }

    fn moved(io: &FileStream) -> Option<time::Instant> {
        Some(io.moved())
    }
}

/// How files leave.
#[derive(Clone)]
enum Way {
    /// By the kernel.
    Sent(Outgoing),
    /// Read, and encrypted.
    Read,
    /// Likewise, beside others on the same connection.
    Shared(Transfers),
}

impl Way {
    const fn protocol(&self) -> Protocol {
        match self {
            Self::Sent(_) => Protocol::Http,
            Self::Read | Self::Shared(_) => Protocol::Https,
        }
    }

    fn body(&self, transfer: Transfer) -> Body {
        match self {
            Self::Sent(outgoing) => Body::sent(transfer, outgoing.clone()),
            Self::Read => Body::read(transfer),
            Self::Shared(transfers) => Body::shared(transfer, transfers.begin()),
        }
    }
}

/// What answers the requests of a connection.
pub struct NetbootService {
    netboot: Arc<Netboot>,
    way: Way,
}

impl NetbootService {
    /// Over a connection that is encrypted.
    #[must_use]
    pub const fn encrypted(netboot: Arc<Netboot>) -> Self {
        Self { netboot, way: Way::Read }
    }

    /// Over one that is encrypted, and has these transfers.
    #[must_use]
    pub const fn shared(netboot: Arc<Netboot>, transfers: Transfers) -> Self {
        Self { netboot, way: Way::Shared(transfers) }
    }
}

impl Service<Request<Incoming>> for NetbootService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (netboot, way) = (Arc::clone(&self.netboot), self.way.clone());
        Box::pin(async move {
            let (head, _) = request.into_parts();
            let response = netboot.answer(&way, &head.method, head.uri.path(), &head.headers).await;
            Ok(response.unwrap_or_else(|answer| netboot.say(answer)))
        })
    }
}

/// A file that was found.
struct Found {
    file: OpenFile,
    representation: Representation,
}

impl Netboot {
    /// Serves the files of a directory to these machines, so many at a time, and tells of it.
    pub fn new(
        tree: Tree,
        files: usize,
        is_served: Box<IsServed>,
        observe: impl Observe,
        counters: Arc<Counters>,
    ) -> Self {
        let observe = Arc::new(Counting { observe, counters: Arc::clone(&counters) });
        let (tree, files) = (ArcSwap::from_pointee(tree), Arc::new(Semaphore::new(files)));
        Self { tree, files, is_served, counters, observe }
    }

    /// Serves the files of another directory from now on.
    pub fn serve_from(&self, tree: Tree) {
        self.tree.store(Arc::new(tree));
    }

    async fn answer(
        &self,
        way: &Way,
        method: &Method,
        path: &str,
        fields: &HeaderMap,
    ) -> Result<Response<Body>, Answer> {
        let path = Path::parse(path).ok_or(Answer::Missing)?;
        if *method != Method::GET && *method != Method::HEAD {
            return Err(Answer::Method);
        }
        if !(self.is_served)(path.mac) {
            return Err(Answer::Machine);
        }
        let place = timeout(OPEN_PATIENCE, Arc::clone(&self.files).acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(Answer::Busy) };
        let found = self.find(&path, place).await?;
        self.send(way, method, path, fields, found).map_err(|_| Answer::Failed)
    }

    /// On another thread where that takes a disk.
    async fn find(&self, path: &Path, place: OwnedSemaphorePermit) -> Result<Found, Answer> {
        let tree = self.tree.load_full();
        let (found, place) = if let Some(found) = tree.cached_netboot_file(path.mac, &path.file) {
            (found, place)
        } else {
            let path = path.clone();
            // The place is taken until that is over, whether anybody waits for it or not.
            let found = spawn_blocking(move || (tree.netboot_file(path.mac, &path.file), place)).await;
            found.map_err(|_| Answer::Failed)?
        };
        let found = found.and_then(|file| {
            let representation = Representation::of(&file).map_err(TreeError::Denied)?;
            Ok(Found { file: OpenFile::new(file, place), representation })
        });
        found.map_err(|error| match error {
            TreeError::Missing => Answer::Missing,
            TreeError::Denied(error) => {
                debug!(mac = %path.mac, file = path.file, %error, "a file that is asked for cannot be had");
                // What is no file has no code of the kernel's.
                let is_denied = error.raw_os_error().is_none() || error.kind() == io::ErrorKind::PermissionDenied;
                if is_denied { Answer::Denied } else { Answer::Failed }
            }
        })
    }

    /// Answers with a file, or with why it is not sent.
    fn send(
        &self,
        way: &Way,
        method: &Method,
        path: Path,
        fields: &HeaderMap,
        found: Found,
    ) -> Result<Response<Body>, InvalidHeaderValue> {
        let representation = found.representation;
        let length = representation.length;
        let validators = Validators {
            etag: representation.etag(),
            modified: representation.last_modified(SystemTime::now()),
            length,
        };
        let verdict = validators.judge(method, fields);
        let (answer, part) = match verdict {
            Verdict::Whole if *method == Method::HEAD => (Answer::Head, 0..length),
            Verdict::Whole => (Answer::Whole, 0..length),
            Verdict::Part(part) => (Answer::Part, part),
            Verdict::NotModified => (Answer::NotModified, 0..0),
            Verdict::Failed => (Answer::Precondition, 0..0),
            Verdict::NotSatisfiable => (Answer::Range, 0..0),
        };
        let content_type = path.content_type();
        let is_sent = matches!(answer, Answer::Whole | Answer::Part);
        let mut response = if is_sent {
            self.counters.count(answer);
            Response::new(way.body(self.transfer(way.protocol(), path, found, part.clone())))
        } else {
            self.say(answer)
        };
        *response.status_mut() = answer.status();
        describe(response.headers_mut(), answer, &validators, &part, content_type)?;
        Ok(response)
    }

    fn transfer(&self, protocol: Protocol, path: Path, found: Found, part: Range<u64>) -> Transfer {
        let Found { file, representation } = found;
        let (happening, total) = (Happening::Begun { sent: part.start }, representation.length);
        let Path { mac, file: path } = path;
        let observation = Observation { mac, path: path.into(), protocol, total, begun: Instant::now(), happening };
        Transfer::begin(file, representation, part, observation, Arc::clone(&self.observe))
    }

    /// Answers without a file.
    fn say(&self, answer: Answer) -> Response<Body> {
        self.counters.count(answer);
        let mut response = Response::new(Body::text(answer.words()));
        *response.status_mut() = answer.status();
        let fields = response.headers_mut();
        if answer == Answer::Method {
            fields.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        if answer == Answer::Busy {
            fields.insert(RETRY_AFTER, ASK_AGAIN);
        }
        if !answer.words().is_empty() {
            fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        }
        response
    }
}

/// What is told of a file, sent or not.
fn describe(
    fields: &mut HeaderMap,
    answer: Answer,
    validators: &Validators,
    part: &Range<u64>,
    content_type: &'static str,
) -> Result<(), InvalidHeaderValue> {
    let mut tell = |name: HeaderName, value: String| {
        fields.insert(name, HeaderValue::try_from(value)?);
        Ok(())
    };
    let Validators { etag, modified, length } = validators;
    if answer == Answer::Range {
        return tell(CONTENT_RANGE, format!("bytes */{length}"));
    }
    if answer == Answer::Precondition {
        return Ok(());
    }
    if answer == Answer::Part {
        tell(CONTENT_RANGE, format!("bytes {}-{}/{length}", part.start, part.end - 1))?;
    }
    tell(ETAG, etag.clone())?;
    if let Some(modified) = modified {
        tell(LAST_MODIFIED, modified.to_string())?;
    }
    if answer != Answer::NotModified {
        tell(CONTENT_LENGTH, (part.end - part.start).to_string())?;
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    Ok(())
}
