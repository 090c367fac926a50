//! The events server: what happens to machines as Server-Sent Events (WHATWG HTML section 9.2), what is known of them as JSON, and the
//! live page.

pub mod feed;
pub mod snapshot;
mod stream;

use std::{convert::Infallible, io, net::IpAddr, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::stream::unfold;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::{
        ALLOW, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
        HeaderValue, WWW_AUTHENTICATE,
    },
    service::Service,
};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncWrite};

use self::{feed::Feed, snapshot::Text};
use super::{
    connection::{Opened, Serve, Version},
    page::PAGE,
};
use crate::{config::Token, wire::MacAddr};

/// What is answered with.
type Body = UnsyncBoxBody<Bytes, io::Error>;

/// The event that a subscriber has heard last (WHATWG HTML section 9.2.4).
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What the events server serves.
#[derive(Clone, Debug)]
pub struct Events {
    /// Where it comes from.
    pub feed: Feed,
    /// What whoever asks must know.
    pub token: Option<Arc<Token>>,
}

impl<Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static> Serve<Stream> for Events {
    type Io = Stream;
    type Body = Body;
    type Service = Self;

    async fn open(&self, stream: Stream, _: Option<IpAddr>) -> io::Result<Opened<Stream, Self>> {
        Ok(Opened { io: stream, service: self.clone(), version: Version::Http1 })
    }
}

impl Service<Request<Incoming>> for Events {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let events = self.clone();
        Box::pin(async move { Ok(events.answer(&request).await) })
    }
}

impl Events {
    async fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "there is nothing here but to GET\n");
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        // What is the same everywhere is anybody's.
        if !matches!(request.uri().path(), "/" | "/healthz" | "/version") && !self.may_ask(request) {
            let mut refusal =
                text(StatusCode::UNAUTHORIZED, "Authorization: Bearer and the word of --events-token-file\n");
            refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            // Who may not ask is not to hold a place.
            refusal.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            return refusal;
        }
        match request.uri().path() {
            "/" => page(),
            "/events" => self.stream(request),
            "/machines" => self.machines(None).await,
            "/metrics" => self.metrics().await,
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/version" => text(StatusCode::OK, concat!("dhcpv6macd ", env!("CARGO_PKG_VERSION"), "\n")),
            path => match path.strip_prefix("/machines/").map(mac) {
                Some(Some(mac)) => self.machines(Some(mac)).await,
                Some(None) => text(StatusCode::NOT_FOUND, "no MAC; write one such as 52:54:00:12:34:56\n"),
                None => {
                    text(StatusCode::NOT_FOUND, "there are /, /events, /machines, /metrics, /healthz and /version\n")
                }
            },
        }
    }

    fn may_ask<B>(&self, request: &Request<B>) -> bool {
        let word = || request.headers().get(AUTHORIZATION)?.as_bytes().split_at_checked("Bearer ".len());
        self.token.as_ref().is_none_or(|token| {
            word().is_some_and(|(scheme, word)| scheme.eq_ignore_ascii_case(b"Bearer ") && token.is(word))
        })
    }

    /// What is known of all machines, or of one.
    async fn machines(&self, of: Option<MacAddr>) -> Response<Body> {
        match self.feed.machines(of).await.map(|snapshot| snapshot.text) {
            None => text(StatusCode::SERVICE_UNAVAILABLE, "the daemon ends\n"),
            Some(Text::Whole(json)) if json == "null" => text(StatusCode::NOT_FOUND, "nobody has seen this machine\n"),
            Some(json) => response(StatusCode::OK, "application/json", self.piecewise(json)),
        }
    }

    /// A text as it is read, which ends the connection where that takes too long.
    fn piecewise(&self, text: Text) -> Body {
        let feed = self.feed.clone();
        let pieces = unfold(text, move |mut text| {
            let piece = text.read().inspect_err(|_| feed.cut()).map_err(io::Error::other).transpose();
            std::future::ready(piece.map(|piece| (piece.map(Frame::data), text)))
        });
        StreamBody::new(pieces).boxed_unsync()
    }

    /// What was counted.
    async fn metrics(&self) -> Response<Body> {
        const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        match self.feed.counters().await {
            None => text(StatusCode::SERVICE_UNAVAILABLE, "the daemon ends\n"),
            Some(counters) => response(StatusCode::OK, KIND, full(counters)),
        }
    }

    fn stream<B>(&self, request: &Request<B>) -> Response<Body> {
        let of = match machine(request.uri().query()) {
            Ok(of) => of,
            Err(()) => return text(StatusCode::BAD_REQUEST, "mac= is no MAC; write one such as 52:54:00:12:34:56\n"),
        };
        let last = request.headers().get(LAST_EVENT_ID).and_then(|last| last.to_str().ok());
        let body = stream::body(self.feed.clone(), of, last);
        response(StatusCode::OK, "text/event-stream", body)
    }
}

/// The machine that a query names.
fn machine(query: Option<&str>) -> Result<Option<MacAddr>, ()> {
    let mut pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let Some((_, named)) = pairs.find(|(name, _)| *name == "mac") else { return Ok(None) };
    mac(named).map(Some).ok_or(())
}

/// A MAC in a URL, where its colons may be written as `%3A`.
fn mac(text: &str) -> Option<MacAddr> {
    percent_decode_str(text).decode_utf8().ok()?.parse().ok()
}

/// The live page. It fetches nothing from anywhere else, and runs nothing that is not in it: its own policy says so, but for what counts in a
/// field alone (Content Security Policy Level 3, section 3.3).
fn page() -> Response<Body> {
    const POLICY: &str = "frame-ancestors 'none'";
    let page = full(Bytes::from_static(PAGE.as_bytes()));
    let mut response = response(StatusCode::OK, "text/html; charset=utf-8", page);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn full(text: Bytes) -> Body {
    Full::new(text).map_err(|never| match never {}).boxed_unsync()
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    response(status, "text/plain; charset=utf-8", full(Bytes::from_static(text.as_bytes())))
}

fn response(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_named_in_a_url_as_in_any_other() {
        let named = Some(MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x5a]));
        for text in ["52:54:00:12:34:5a", "52%3A54%3a00%3A12%3A34%3A5A", "5254%30012345a"] {
            assert_eq!(mac(text), named, "{text}");
            assert_eq!(machine(Some(&format!("a=b&mac={text}"))), Ok(named), "{text}");
        }
        assert_eq!([machine(None), machine(Some("mac")), machine(Some("max=1"))], [Ok(None); 3]);
        for text in ["", "52:54:00:12:34", "52%3", "%ff"] {
            assert_eq!(mac(text), None, "{text}");
            assert_eq!(machine(Some(&format!("mac={text}"))), Err(()), "{text}");
        }
    }
}
