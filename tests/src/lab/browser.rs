//! A real browser: Debian's Chromium without a screen, told what to do over WebDriver.

use std::{
    env,
    io::{BufRead, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Host, Process};

/// How long the driver may take to be there, and a command to be done, on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// Width and height of the window, in CSS pixels.
pub const WINDOW: (u32, u32) = (1280, 800);
/// The name under which WebDriver passes elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that are no characters, as WebDriver writes them.
pub mod key {
    /// Leaves a field, a list, a dialog for the next one.
    pub const TAB: char = '\u{e004}';
    /// Does what the focus is on.
    pub const ENTER: char = '\u{e007}';
    /// Closes what is open.
    pub const ESCAPE: char = '\u{e00c}';
    /// To the last one.
    pub const END: char = '\u{e010}';
    /// To the first one.
    pub const HOME: char = '\u{e011}';
    /// One to the left.
    pub const LEFT: char = '\u{e012}';
    /// One to the right.
    pub const RIGHT: char = '\u{e014}';
    /// One row down.
    pub const DOWN: char = '\u{e015}';
}

/// A browser with one window. It ends with this, and with this process, however that ends: it is alone in a PID namespace.
#[derive(Debug)]
pub struct Browser {
    host: Host,
    driver: SocketAddr,
    session: String,
    _process: Process,
    _home: TempDir,
}

impl Browser {
    /// Starts a browser on a host.
    ///
    /// # Errors
    ///
    /// Where there is none, or it does not come up.
    pub fn start(host: &Host) -> Result<Self> {
        let home = TempDir::new()?;
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "chromedriver", "--port=0"]);
        command.env("HOME", home.path()).env("TMPDIR", home.path());
        command.env("PATH", env::var_os("PATH").unwrap_or_default());
        let process = host.start(&command)?;
        let port = process.wait_for(LIMIT, |line| port_in(line).is_some())?;
        let port = port_in(&port).context("the driver names its port")?;
        let driver = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut browser = Self { host: host.clone(), driver, session: String::new(), _process: process, _home: home };
        let session = browser.ask("POST", "", Some(&json!({"capabilities": {"alwaysMatch": capabilities()}})))?;
        let id = session.get("sessionId").and_then(Value::as_str).context("a session has a name")?;
        browser.session = format!("/{id}");
        Ok(browser)
    }

    /// Opens a page, and waits until it is loaded.
    ///
    /// # Errors
    ///
    /// Where nobody serves it.
    pub fn open(&self, url: &str) -> Result<()> {
        self.ask("POST", "/url", Some(&json!({ "url": url }))).map(drop)
    }

    /// Runs a script in the page, the body of a function, and returns what that returns.
    ///
    /// # Errors
    ///
    /// Where it throws.
    pub fn run(&self, script: &str) -> Result<Value> {
        self.ask("POST", "/execute/sync", Some(&json!({ "script": script, "args": [] })))
            .with_context(|| script.to_owned())
    }

    /// Waits until an expression in the page has a value.
    ///
    /// # Errors
    ///
    /// Where it takes longer than `limit`: says what the value was instead.
    pub fn wait_for(&self, limit: Duration, expression: &str, value: &Value) -> Result<()> {
        let started = Instant::now();
        loop {
            let now = self.run(&format!("return {expression}"))?;
            if now == *value {
                return Ok(());
            }
            ensure!(started.elapsed() < limit, "`{expression}` is {now} after {limit:?}, not {value}");
            thread::sleep(POLL);
        }
    }

    /// Clicks in the middle of the first element of a selector.
    ///
    /// # Errors
    ///
    /// Where there is none, or something lies over it.
    pub fn click(&self, selector: &str) -> Result<()> {
        let element = self.element(selector)?;
        self.ask("POST", &format!("/element/{element}/click"), Some(&json!({}))).map(drop)
    }

    /// Types into the first element of a selector.
    ///
    /// # Errors
    ///
    /// Where there is none that takes text.
    pub fn write(&self, selector: &str, text: &str) -> Result<()> {
        let element = self.element(selector)?;
        self.ask("POST", &format!("/element/{element}/value"), Some(&json!({ "text": text }))).map(drop)
    }

    /// Presses a key, wherever the focus is.
    ///
    /// # Errors
    ///
    /// Where the browser is gone.
    pub fn press(&self, key: char) -> Result<()> {
        let strokes = ["keyDown", "keyUp"].map(|stroke| json!({ "type": stroke, "value": key }));
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.ask("POST", "/actions", Some(&actions)).map(drop)
    }

    /// Makes the browser prefer `light` or `dark` pages.
    ///
    /// # Errors
    ///
    /// Where the browser is gone.
    pub fn prefer(&self, scheme: &str) -> Result<()> {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        let command = json!({ "cmd": "Emulation.setEmulatedMedia", "params": media });
        self.ask("POST", "/goog/cdp/execute", Some(&command)).map(drop)
    }

    /// What the window shows, as a PNG file.
    ///
    /// # Errors
    ///
    /// Where the browser is gone.
    pub fn screenshot(&self) -> Result<Vec<u8>> {
        let shot = self.ask("GET", "/screenshot", None)?;
        base64(shot.as_str().context("a screenshot is text")?)
    }

    /// What the page's console says since the last time: errors, refusals of its security policy, files that are not there.
    ///
    /// # Errors
    ///
    /// Where the browser is gone.
    pub fn complaints(&self) -> Result<Vec<String>> {
        let log = self.ask("POST", "/se/log", Some(&json!({ "type": "browser" })))?;
        let entries = log.as_array().context("a log is a list")?;
        Ok(entries.iter().filter_map(|entry| Some(entry.get("message")?.as_str()?.to_owned())).collect())
    }

    fn element(&self, selector: &str) -> Result<String> {
        let asked = json!({ "using": "css selector", "value": selector });
        let found = self.ask("POST", "/element", Some(&asked))?;
        Ok(found.get(ELEMENT).and_then(Value::as_str).context("an element has a name")?.to_owned())
    }

    /// One command: HTTP to the driver, JSON both ways.
    fn ask(&self, method: &str, command: &str, body: Option<&Value>) -> Result<Value> {
        let mut stream = self.host.run(|| TcpStream::connect(self.driver))??;
        stream.set_read_timeout(Some(LIMIT))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        write!(
            stream,
            "{method} /session{}{command} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             \r\n{body}",
            self.session,
            self.driver,
            body.len()
        )?;
        let body = body_of(BufReader::new(stream)).with_context(|| format!("{method} {command}"))?;
        let value = serde_json::from_slice::<Value>(&body)?.get_mut("value").map(Value::take).unwrap_or_default();
        if let Some(error) = value.get("error") {
            let message = value.get("message").and_then(Value::as_str).unwrap_or_default();
            bail!("{method} {command}: {error}: {}", message.lines().next().unwrap_or_default());
        }
        Ok(value)
    }
}

/// The body of an answer. The driver keeps the connection, whatever it is asked: the length says where it ends.
fn body_of(mut answer: impl BufRead) -> Result<Vec<u8>> {
    let (mut line, mut length) = (String::new(), 0);
    while answer.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    Ok(body)
}

/// Without a sandbox, for tests run as root; and nothing is asked of the network but what the page asks.
fn capabilities() -> Value {
    let (width, height) = WINDOW;
    let window = format!("--window-size={width},{height}");
    let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
    let quiet =
        ["--disable-background-networking", "--disable-component-update", "--no-first-run", "--hide-scrollbars"];
    let arguments: Vec<&str> = arguments.into_iter().chain(quiet).chain([window.as_str()]).collect();
    json!({ "goog:loggingPrefs": { "browser": "ALL" }, "goog:chromeOptions": { "args": arguments } })
}

/// The port in `ChromeDriver was started successfully on port 41234.`
fn port_in(line: &str) -> Option<u16> {
    line.split_once("successfully on port ")?.1.trim_end().trim_end_matches('.').parse().ok()
}

/// RFC 4648 section 4, of a text without line breaks.
fn base64(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits) = (0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        held = held << 6 | u32::from(sextet(digit).with_context(|| format!("{digit:#x} is no digit of base64"))?);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.extend((held >> bits).to_le_bytes().first());
        }
    }
    Ok(bytes)
}

fn sextet(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        for (text, bytes) in
            [("", &b""[..]), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9v", b"foo"), ("+/+/", &[0xfb, 0xff, 0xbf])]
        {
            assert_eq!(base64(text).unwrap(), bytes, "{text}");
        }
        assert!(base64("Zm*v").is_err());
    }

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nCache-Control: no-cache\r\n\r\nbodymore";
        assert_eq!(body_of(&answer[..]).unwrap(), b"body");
        assert!(body_of(&answer[..answer.len() - 5]).is_err());
    }

    #[test]
    fn a_port_is_found_in_its_line() {
        assert_eq!(port_in("ChromeDriver was started successfully on port 41234.\n"), Some(41234));
        assert_eq!(port_in("Starting ChromeDriver 156.0 on port 0"), None);
    }
}
