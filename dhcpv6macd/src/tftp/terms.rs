//! What a client and we agree on.

use crate::wire::tftp::{DATA_HEADER, Mode, Options};

/// Bytes of a block where nothing was said (RFC 1350 section 2).
const BLOCK_SIZE: u16 = 512;
/// The least that may be asked for (RFC 2348).
const BLOCK_SIZE_MIN: u64 = 8;
/// The most blocks between two acknowledgements; RFC 7440 has no bound, a network has.
pub const WINDOW_SIZE_MAX: u64 = 64;
/// Bytes of the headers of IPv6 and UDP.
const HEADERS: u32 = 48;

/// How a file is sent to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) mode: Mode,
    /// Bytes of a block.
    pub(super) block_size: u16,
    /// Blocks that may be under way.
    pub(super) window_size: u16,
    /// What the client asked for and is told that it gets; nothing where it asked for nothing.
    pub(super) granted: Options,
}

impl Terms {
    /// What a client gets of what it asks for, on a link of so many bytes a packet, for a file of so many bytes. What makes no sense is
    /// not granted, as if it had not been asked for.
    pub(super) fn new(asked: Options, mode: Mode, mtu: u32, file_length: usize) -> Self {
        let one_frame = u64::from(mtu.saturating_sub(HEADERS)).saturating_sub(DATA_HEADER as u64);
        let block_size = asked.block_size.filter(|size| *size >= BLOCK_SIZE_MIN).map(|size| size.min(one_frame));
        let window_size = asked.window_size.filter(|size| *size > 0).map(|size| size.min(WINDOW_SIZE_MAX));
        let granted = Options {
            block_size,
            window_size,
            timeout: asked.timeout.filter(|seconds| (1..=255).contains(seconds)),
            // How long a text will be is not known before it was sent; that a file is empty curl does not take (`tftp_parse_option_ack`).
            transfer_size: asked
                .transfer_size
                .filter(|_| mode == Mode::Octet && file_length > 0)
                .map(|_| file_length as u64),
        };
        let number =
            |granted: Option<u64>, default| granted.and_then(|size| u16::try_from(size).ok()).unwrap_or(default);
        Self { mode, block_size: number(block_size, BLOCK_SIZE), window_size: number(window_size, 1), granted }
    }

    /// Is the client to be told?
    pub(super) fn are_granted(&self) -> bool {
        self.granted != Options::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tftp::Packet;

    fn terms(mode: Mode, options: &str) -> Terms {
        let packet = format!("\0\x01x\0octet\0{}", options.replace(' ', "\0"));
        let Ok(Packet::Read(request)) = Packet::parse(packet.as_bytes()) else { panic!("{options}") };
        Terms::new(request.options(), mode, 1500, 1000)
    }

    fn sizes(options: &str) -> (u16, u16, bool) {
        let terms = terms(Mode::Octet, options);
        (terms.block_size, terms.window_size, terms.are_granted())
    }

    #[test]
    fn no_more_is_granted_than_was_asked_for_and_fits() {
        assert_eq!(sizes(""), (512, 1, false));
        assert_eq!(sizes("blksize 1428 windowsize 4 "), (1428, 4, true));
        assert_eq!(sizes("blksize 65464 windowsize 65535 "), (1448, 64, true));
        assert_eq!(sizes("blksize 8 "), (8, 1, true));
        assert_eq!(sizes("blksize 7 windowsize 0 "), (512, 1, false));
        assert_eq!(sizes("multicast x "), (512, 1, false));
    }

    #[test]
    fn the_size_of_a_text_is_not_told() {
        assert_eq!(terms(Mode::Octet, "tsize 0 ").granted.transfer_size, Some(1000));
        assert_eq!(terms(Mode::Netascii, "tsize 0 ").granted, Options::default());
    }

    #[test]
    fn a_timeout_is_granted_as_asked_or_not_at_all() {
        assert_eq!(terms(Mode::Octet, "timeout 6 ").granted.timeout, Some(6));
        assert_eq!(["timeout 0 ", "timeout 256 "].map(|text| terms(Mode::Octet, text).granted.timeout), [None, None]);
    }
}
