//! Whoever watches the rack, by what the daemon tells everybody: is each boot told whole, in order, and once?

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value};

use super::scene::Scene;
use crate::subscribers::BOOT;

/// How long the last event may take on a machine that is busy with something else.
const LIMIT: Duration = Duration::from_secs(10);

/// A subscriber.
#[derive(Debug)]
pub(super) struct Watch(Arc<(Mutex<Told>, Condvar)>);

/// Everything that it was told.
#[derive(Debug, Default)]
struct Told {
    /// Was it told what was there before? That should be nothing.
    is_there: bool,
    /// By machine.
    boots: BTreeMap<String, Vec<Value>>,
    /// Machines in their operating system.
    arrived: usize,
    /// The number of the last event.
    last: Option<u64>,
    /// What was not as it should be, and what the stream ended with.
    fault: Option<String>,
}

/// What was told, looked at.
#[derive(Debug)]
pub(super) struct Seen {
    /// Machines whose boot was told as it should be.
    pub(super) right: u64,
    /// Events of all of them.
    pub(super) events: u64,
    /// What was wrong.
    pub(super) faults: Vec<String>,
}

impl Watch {
    /// Begins to listen, and returns once it hears what happens.
    pub(super) fn start(scene: &Scene) -> Result<Self> {
        let stream = get(scene, "/events")?;
        let watch = Self(Arc::default());
        let shared = Arc::clone(&watch.0);
        thread::Builder::new().name("watch".into()).spawn(move || {
            let ended = listen(stream, &shared).map_or_else(|error| format!("{error:#}"), |()| "it has ended".into());
            lock(&shared.0).fault.get_or_insert(ended);
            shared.1.notify_all();
        })?;
        watch.wait(|told| told.is_there)?;
        Ok(watch)
    }

    /// Waits until all of so many machines are in their operating systems, as far as anybody is told.
    pub(super) fn wait_for_systems(&self, machines: usize) -> Result<()> {
        self.wait(|told| told.arrived >= machines)
    }

    /// Waits for something, which need not come: who looks at what was told sees that.
    fn wait(&self, is_so: impl Fn(&Told) -> bool) -> Result<()> {
        let (told, changed) = &*self.0;
        let still = |told: &mut Told| !is_so(told) && told.fault.is_none();
        let (told, _) = changed.wait_timeout_while(lock(told), LIMIT, still).unwrap_or_else(PoisonError::into_inner);
        match &told.fault {
            Some(fault) => bail!("the stream of events: {fault}"),
            None => Ok(()),
        }
    }

    /// Looks at every machine's events, and at what the daemon says now of all of them.
    pub(super) fn look(&self, scene: &Scene, machines: usize) -> Result<Seen> {
        let known = machines_now(scene)?;
        let told = lock(&self.0.0);
        let lengths = [scene.ipxe.len(), scene.boot_file.len()];
        let mut faults = Vec::new();
        for (mac, events) in &told.boots {
            let fault = fault_in(events, lengths).err().or_else(|| differs(events, known.get(mac)));
            faults.extend(fault.map(|fault| format!("{mac} {fault}")));
        }
        let right = told.boots.len() - faults.len();
        for (count, what) in [(told.boots.len(), "were told of"), (known.len(), "are known")] {
            if count != machines {
                faults.push(format!("{count} machines {what}, not {machines}"));
            }
        }
        Ok(Seen { right: right as u64, events: told.boots.values().map(|events| events.len() as u64).sum(), faults })
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks the daemon, and leaves the answer's body to be read. An answer to HTTP/1.0 comes as it is, and ends with the connection.
fn get(scene: &Scene, path: &str) -> Result<BufReader<TcpStream>> {
    let mut stream = scene.events()?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = BufReader::new(stream);
    let mut status = String::new();
    answer.read_line(&mut status)?;
    ensure!(status.contains(" 200 "), "GET {path}: {}", status.trim_end());
    while answer.read_line(&mut status)? > 2 {}
    Ok(answer)
}

/// What `/machines` says.
fn machines_now(scene: &Scene) -> Result<Map<String, Value>> {
    let mut json = String::new();
    get(scene, "/machines")?.read_to_string(&mut json)?;
    serde_json::from_str(&json).context("/machines")
}

fn listen(stream: BufReader<TcpStream>, shared: &(Mutex<Told>, Condvar)) -> Result<()> {
    for line in stream.lines() {
        let line = line?;
        let mut told = lock(&shared.0);
        if let Some(id) = line.strip_prefix("id: ") {
            told.number(id)?;
        } else if let Some(data) = line.strip_prefix("data: ") {
            told.take(data)?;
        }
        drop(told);
        shared.1.notify_all();
    }
    Ok(())
}

impl Told {
    /// Events are numbered without a gap.
    fn number(&mut self, id: &str) -> Result<()> {
        let (_, number) = id.split_once('-').with_context(|| format!("the id {id}"))?;
        let number = number.parse()?;
        let before = self.last.replace(number);
        ensure!(before.is_none_or(|before| number == before + 1), "event {number} comes behind {before:?}");
        Ok(())
    }

    fn take(&mut self, data: &str) -> Result<()> {
        if !self.is_there {
            ensure!(data == "{}", "machines are there before the power comes back: {data}");
            self.is_there = true;
            return Ok(());
        }
        let mut change: Value = serde_json::from_str(data)?;
        let event = change.get_mut("event").map(Value::take).context("no event")?;
        let mac = change.get("mac").and_then(Value::as_str).context("nobody's event")?;
        self.arrived += usize::from(name_of(&event) == "os_init" && !is_repeated(&event));
        self.boots.entry(mac.to_owned()).or_default().push(event);
        Ok(())
    }
}

fn name_of(event: &Value) -> &str {
    event.get("event").and_then(Value::as_str).unwrap_or_default()
}

fn is_repeated(event: &Value) -> bool {
    event.get("repeat_event") == Some(&Value::Bool(true))
}

fn names<'a>(events: impl IntoIterator<Item = &'a Value>) -> Vec<&'a str> {
    events.into_iter().map(name_of).collect()
}

/// Is this a whole boot, each step once and in order, told again only while the machine is in it, and are these the lengths of its files?
fn fault_in(events: &[Value], lengths: [usize; 2]) -> Result<(), String> {
    let kept = names(events.iter().filter(|event| !is_repeated(event)));
    if kept != BOOT {
        return Err(format!("went through {}", kept.join(" ")));
    }
    let is_in_order = |pair: &[Value]| {
        let [before, after] = pair else { return false };
        let time = |event: &Value| event.get("timestamp").and_then(Value::as_str).map(str::to_owned);
        time(before) <= time(after) && (!is_repeated(after) || name_of(before) == name_of(after))
    };
    if !events.windows(2).all(is_in_order) {
        return Err(format!("was told of out of order: {}", names(events).join(" ")));
    }
    for (step, length) in ["served_ipxe_over_tftp", "http_fetch_uki"].into_iter().zip(lengths) {
        let end = events.iter().rfind(|event| name_of(event) == step).and_then(|event| event.get("detail"));
        let is_whole = |detail: &Value| {
            let has = |name, value| detail.get(name) == Some(&value);
            has("state", "complete".into()) && has("sent_bytes", length.into()) && has("total_bytes", length.into())
        };
        if !end.is_some_and(is_whole) {
            return Err(format!("ended {step} with {}", end.unwrap_or(&Value::Null)));
        }
    }
    Ok(())
}

/// Does what is known of a machine differ from what was told?
fn differs(events: &[Value], known: Option<&Value>) -> Option<String> {
    let Some(kept) = known.and_then(|machine| machine.get("Events")?.as_array()) else {
        return Some("is not known".to_owned());
    };
    let told: Vec<_> = events.iter().filter(|event| !is_repeated(event)).collect();
    let same = |one: &Value, other: &Value| ["event", "timestamp"].iter().all(|name| one.get(name) == other.get(name));
    let is_same = told.len() == kept.len() && told.iter().zip(kept).all(|(told, kept)| same(told, kept));
    (!is_same).then(|| format!("is known to have gone through {}", names(kept).join(" ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LENGTHS: [usize; 2] = [10, 20];

    fn event(second: usize, name: &str, is_repeated: bool) -> Value {
        let length = if name == "http_fetch_uki" { 20 } else { 10 };
        let detail = json!({ "state": "complete", "sent_bytes": length, "total_bytes": length });
        json!({ "event": name, "timestamp": format!("{second:02}"), "repeat_event": is_repeated, "detail": detail })
    }

    fn boot() -> Vec<Value> {
        BOOT.iter().enumerate().map(|(second, name)| event(second, name, false)).collect()
    }

    #[test]
    fn a_boot_is_whole() {
        let mut boot = boot();
        assert_eq!(fault_in(&boot, LENGTHS), Ok(()));
        assert_eq!(differs(&boot, Some(&json!({ "Events": boot }))), None);
        boot.insert(7, event(6, "http_fetch_uki", true));
        assert_eq!(fault_in(&boot, LENGTHS), Ok(()), "told again of the step that it is in");
    }

    #[test]
    fn whatever_is_not_is_found() {
        let without = |index| {
            let mut boot = boot();
            boot.remove(index);
            boot
        };
        let with = |index, event| {
            let mut boot = boot();
            boot.insert(index, event);
            boot
        };
        for index in 0..BOOT.len() {
            assert!(fault_in(&without(index), LENGTHS).is_err() && differs(&boot(), None).is_some());
            assert!(differs(&boot(), Some(&json!({ "Events": without(index) }))).is_some());
        }
        for wrong in [
            with(4, event(3, "serve_ipxe_over_tftp", false)),
            with(4, event(3, "firmware_init", true)),
            with(4, event(3, "stalled", false)),
            with(8, event(6, "os_init", true)),
        ] {
            assert!(fault_in(&wrong, LENGTHS).is_err(), "{wrong:?}");
        }
        assert!(fault_in(&boot(), [10, 21]).is_err() && fault_in(&boot(), [9, 20]).is_err());
    }
}
