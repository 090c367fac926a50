//! What is told of machines, and to whom.

use std::{path::Path, time::Duration};

use super::{
    ConfigError, EventsListen,
    options::list,
    parse::{Texts, listen_address},
    time::seconds,
};
use crate::{event::Step, machine::StallLimits};

/// Where events are told; `None` for `off`.
pub(super) fn listen(text: &str) -> Result<Option<EventsListen>, String> {
    match text {
        "off" => Ok(None),
        path if path.starts_with('/') => unix(Path::new(path)).map(Some),
        address => match listen_address(address) {
            Ok(address) => Ok(Some(EventsListen::Address(address))),
            Err(error) => Err(format!("{error}, the path of a Unix socket, or off")),
        },
    }
}

/// `sockaddr_un` has room for so much (unix(7)).
fn unix(path: &Path) -> Result<EventsListen, String> {
    const PATH_MAX: usize = 107;
    let length = path.as_os_str().len();
    if length > PATH_MAX {
        return Err(format!("{length} bytes; the path of a socket has {PATH_MAX} at most"));
    }
    Ok(EventsListen::Unix(path.to_owned()))
}

impl Texts<'_> {
    pub(super) fn stall_limits(&self) -> Result<StallLimits, ConfigError> {
        let set = self.optional("stalled-after", |text| list(text, limit))?.unwrap_or_default();
        let mut limits = StallLimits::default();
        limits.serves_boot_files = self.is_said("netboot-dir");
        for (step, limit) in set {
            limits.set(step, limit);
        }
        Ok(limits)
    }
}

fn limit(text: &str) -> Result<(Step, Duration), String> {
    let (name, time) = text.split_once('=').ok_or("no STEP=TIME")?;
    let step = Step::ALL.into_iter().find(|step| step.name() == name && *step != Step::Init);
    let step = step.ok_or_else(|| {
        let names: Vec<_> = Step::ALL.into_iter().filter(|step| *step != Step::Init).map(Step::name).collect();
        format!("no step of a boot; there are {}", names.join(", "))
    })?;
    match seconds(time)? {
        0 => Err("nobody is that fast".to_owned()),
        seconds => Ok((step, Duration::from_secs(seconds.into()))),
    }
}
