//! Whoever plays the daemon for the page: says what a test tells it to say.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use dhcpv6macd::http::page::PAGE;
use dhcpv6macd_tests::lab::Host;
use serde_json::{Value, json};

/// Serves the page as the daemon does, and says what a test tells it to say.
pub(crate) struct Script {
    pub(crate) address: SocketAddr,
    pub(crate) told: Arc<Mutex<Told>>,
}

#[derive(Default)]
pub(crate) struct Told {
    pub(crate) snapshot: Option<Value>,
    pub(crate) token: Option<&'static str>,
    pub(crate) streams: Vec<TcpStream>,
    /// The heads of the requests for events.
    pub(crate) asked: Vec<String>,
}

impl Script {
    pub(crate) fn start(host: &Host, snapshot: Value) -> Self {
        let listener = host.run(|| TcpListener::bind("127.0.0.1:0")).unwrap().unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Mutex::new(Told { snapshot: Some(snapshot), ..Told::default() }));
        let shared = Arc::clone(&told);
        thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap(), &shared)));
        Self { address, told }
    }

    /// Says something to all who listen, as one message.
    pub(crate) fn say(&self, id: u64, message: &Value) {
        let text = format!("id: {id}\ndata: {message}\n\n");
        for stream in &mut self.told.lock().unwrap().streams {
            stream.write_all(text.as_bytes()).unwrap();
        }
    }

    /// One event of a machine, now.
    pub(crate) fn tell(&self, id: u64, machine: &str, event: &Value) {
        self.say(id, &json!({ "mac": mac(machine), "ipv6_address": address(machine), "event": event }));
    }

    /// Closes what is open; a snapshot is for those who come without an id, or for nobody.
    pub(crate) fn close(&self, snapshot: Option<Value>) {
        let mut told = self.told.lock().unwrap();
        told.snapshot = snapshot;
        told.streams.clear();
    }
}

/// One connection, which asks for one thing.
fn serve(mut stream: TcpStream, told: &Mutex<Told>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let head = head.join("\n").to_lowercase();
    let mut told = told.lock().unwrap();
    let is_welcome = told.token.is_none_or(|token| head.contains(&format!("\nauthorization: bearer {token}")));
    let (status, kind, body) = match head.split(' ').nth(1) {
        Some("/") => ("200 OK", "text/html; charset=utf-8", PAGE.to_owned()),
        Some("/events") if is_welcome => {
            let snapshot = told.snapshot.as_ref().filter(|_| !head.contains("\nlast-event-id: "));
            ("200 OK", "text/event-stream", snapshot.map(|all| format!("data: {all}\n\n")).unwrap_or_default())
        }
        Some("/events") => ("401 Unauthorized", "text/plain", String::new()),
        _ => ("404 Not Found", "text/plain", String::new()),
    };
    let answer = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).unwrap();
    if kind == "text/event-stream" {
        stream.write_all(format!("retry: 100\n\n{body}").as_bytes()).unwrap();
        told.asked.push(head);
        told.streams.push(stream);
    } else {
        stream.write_all(body.as_bytes()).unwrap();
    }
}

pub(crate) fn mac(machine: &str) -> String {
    format!("52:54:00:ab:cd:{machine}")
}

pub(crate) fn address(machine: &str) -> String {
    format!("2001:db8::5054:ff:feab:cd{machine}")
}

/// An event, seconds after noon.
pub(crate) fn event(name: &str, seconds: f64, detail: Value) -> Value {
    let timestamp = format!("2026-01-02T12:{:02.0}:{:012.9}Z", (seconds / 60.0).floor(), seconds % 60.0);
    json!({ "event": name, "timestamp": timestamp, "repeat_event": false, "detail": detail })
}

pub(crate) fn repeated(mut event: Value) -> Value {
    event["repeat_event"] = true.into();
    event
}

pub(crate) fn transfer(state: &str, sent: u64) -> Value {
    let total = 4_194_304;
    json!({ "protocol": "http", "file_name": "boot.efi", "state": state, "sent_bytes": sent, "total_bytes": total })
}

pub(crate) fn stalled(reason: &str) -> Value {
    event("stalled", 30.0, json!({ "reason": reason }))
}

/// A snapshot of machines and their events.
pub(crate) fn rack(machines: &[(&str, &[Value])]) -> Value {
    let entry = |(machine, events): &(&str, &[Value])| {
        (mac(machine), json!({ "Mac": mac(machine), "IPv6Address": address(machine), "Events": events }))
    };
    Value::Object(machines.iter().map(entry).collect())
}

/// A rack on which nothing is wrong.
pub(crate) fn quiet_rack(machines: &[&str]) -> Value {
    let events = [event("firmware_init", 0.0, json!({}))];
    rack(&machines.iter().map(|machine| (*machine, &events[..])).collect::<Vec<_>>())
}
