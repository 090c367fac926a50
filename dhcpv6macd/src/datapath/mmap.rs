//! Memory shared with the kernel: owned, bounded, and read and written through atomics or under a slot's ownership.
#![expect(unsafe_code, reason = "memory shared with the kernel")]

use std::{
    ffi::c_int,
    io,
    ops::Range,
    os::fd::{AsFd, AsRawFd},
    ptr::{self, NonNull},
    sync::atomic::AtomicU32,
};

/// A mapping, unmapped on drop.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to its owner alone; nothing about it is tied to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps the rings of a packet socket, `length` bytes in all (`packet_mmap.rst` in the kernel's documentation).
    pub(super) fn of_socket(socket: &impl AsFd, length: usize) -> io::Result<Self> {
        Self::map(length, libc::MAP_SHARED, socket.as_fd().as_raw_fd())
    }

    /// Zeroed memory of our own, for rings without a kernel on the other side.
    #[cfg(test)]
    pub(super) fn anonymous(length: usize) -> io::Result<Self> {
        Self::map(length, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
    }

    fn map(length: usize, flags: c_int, fd: c_int) -> io::Result<Self> {
        // SAFETY: the kernel chooses where: no other memory is replaced.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }

    /// The word at `offset`, which the kernel may change at any time.
    ///
    /// # Panics
    ///
    /// Outside the mapping, or not on a multiple of four bytes: a mistake in the ring's layout.
    pub(super) fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.length, "no word at {offset} of {}", self.length);
        // SAFETY: inside the mapping and aligned, as the mapping itself starts on a page; atomics may be shared with the kernel.
        unsafe { AtomicU32::from_ptr(self.start.as_ptr().wrapping_add(offset).cast()) }
    }

    /// The bytes in `range`.
    ///
    /// # Panics
    ///
    /// Outside the mapping: a mistake in the ring's layout.
    ///
    /// # Safety
    ///
    /// Nobody writes to them as long as the slice lives.
    pub(super) unsafe fn bytes(&self, range: Range<usize>) -> &[u8] {
        let start = self.checked(&range);
        // SAFETY: inside the mapping; the caller keeps writers away.
        unsafe { std::slice::from_raw_parts(start, range.len()) }
    }

    /// The bytes in `range`, to be written.
    ///
    /// # Panics
    ///
    /// Outside the mapping: a mistake in the ring's layout.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes them as long as the slice lives.
    pub(super) unsafe fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        let start = self.checked(&range);
        // SAFETY: inside the mapping; the caller keeps readers and writers away.
        unsafe { std::slice::from_raw_parts_mut(start, range.len()) }
    }

    fn checked(&self, range: &Range<usize>) -> *mut u8 {
        assert!(range.start <= range.end && range.end <= self.length, "no bytes {range:?} of {}", self.length);
        self.start.as_ptr().wrapping_add(range.start)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length, and every borrow of it has ended.
        let result = unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
        debug_assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }
}
