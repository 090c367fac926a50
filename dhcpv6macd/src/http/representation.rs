//! A file as it is at some time: what tells it from other files, and from itself before and after (RFC 9110 section 8.8).

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use httpdate::HttpDate;

/// Where dates end that HTTP can write: with the year 9999.
const DATES_END: Duration = Duration::from_secs(253_402_300_800);

/// A file as it is at some time. A link more or less, or another name, change nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Representation {
    device: u64,
    inode: u64,
    /// Bytes.
    pub length: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
}

impl Representation {
    /// As it is now.
    ///
    /// # Errors
    ///
    /// Where the kernel does not tell.
    pub fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::told(&metadata))
    }

    /// As the kernel has told.
    #[must_use]
    pub fn told(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// Its strong entity tag.
    #[must_use]
    pub fn etag(&self) -> String {
        let Self { device, inode, length, modified: (seconds, nanoseconds) } = self;
        format!("\"{device:x}-{inode:x}-{length:x}-{seconds:x}-{nanoseconds:x}\"")
    }

    /// When it was modified, to the second. `None` where HTTP has no such date, and where the clock has not come so far: a server tells of no
    /// future (section 8.8.2.1).
    #[must_use]
    pub fn last_modified(&self, now: SystemTime) -> Option<HttpDate> {
        let since = Duration::from_secs(u64::try_from(self.modified.0).ok()?);
        let date = UNIX_EPOCH.checked_add(since).filter(|date| *date <= now)?;
        (since < DATES_END).then(|| date.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modified(seconds: i64) -> Representation {
        Representation { device: 1, inode: 2, length: 255, modified: (seconds, 16) }
    }

    #[test]
    fn the_tag_is_strong_and_tells_all_of_it() {
        assert_eq!(modified(10).etag(), "\"1-2-ff-a-10\"");
    }

    #[test]
    fn there_are_dates_that_nobody_is_told_of() {
        let now = UNIX_EPOCH + DATES_END + Duration::from_secs(100);
        let told = |seconds| modified(seconds).last_modified(now).map(|date| date.to_string());
        assert_eq!(told(784_111_777).as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        for seconds in [-1, i64::MIN, 253_402_300_800, i64::MAX] {
            assert_eq!(told(seconds), None);
        }
        assert_eq!(modified(2).last_modified(UNIX_EPOCH + Duration::from_secs(1)), None);
    }
}
