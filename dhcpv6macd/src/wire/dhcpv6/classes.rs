//! What a boot client says that it is.

use crate::wire::Malformed;

/// The kinds of boot client that a message claims to be from, by its user classes (RFC 9915 section 21.15) and vendor classes
/// (section 21.16). Other classes, and bytes that are none, say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// User class `iPXE`.
    pub ipxe: bool,
    /// Vendor class `HTTPClient…`: UEFI HTTP boot (UEFI specification section 24.7).
    pub http_client: bool,
    /// Vendor class `PXEClient…`: UEFI PXE (UEFI specification section 24.3).
    pub pxe_client: bool,
}

/// Bytes of a vendor class before its data: the enterprise number.
const ENTERPRISE: usize = 4;

impl Classes {
    pub(super) fn read_user(&mut self, data: &[u8]) {
        self.ipxe |= items(data).any(|class| class == b"iPXE");
    }

    /// Whoever's enterprise number: firmware uses Intel's, and others.
    pub(super) fn read_vendor(&mut self, data: &[u8]) -> Result<(), Malformed> {
        for class in items(data.get(ENTERPRISE..).ok_or(Malformed::OptionLength)?) {
            self.http_client |= class.starts_with(HTTP_CLIENT);
            self.pxe_client |= class.starts_with(b"PXEClient");
        }
        Ok(())
    }
}

/// How the vendor class of UEFI HTTP boot begins, in requests and replies.
pub const HTTP_CLIENT: &[u8] = b"HTTPClient";

/// Items of a length (2) and so many bytes, up to the first that overruns.
fn items(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        let (item, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        rest = behind;
        Some(item)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendor(data: &[u8]) -> Result<Classes, Malformed> {
        let mut classes = Classes::default();
        classes.read_vendor(data).map(|()| classes)
    }

    #[test]
    fn classes_are_known_by_how_they_begin() {
        let http = Classes { http_client: true, ..Classes::default() };
        assert_eq!(vendor(b"\0\0\x01\x57\0\x21HTTPClient:Arch:00016:UNDI:003001"), Ok(http));
        assert_eq!(vendor(b"\0\0\0\0\0\x01x\0\x0aHTTPClient"), Ok(http));
        assert_eq!(vendor(b"\0\0\x01\x57\0\x09PXEClient"), Ok(Classes { pxe_client: true, ..Classes::default() }));
        let mut ipxe = Classes::default();
        ipxe.read_user(b"\0\x04iPXE");
        assert!(ipxe.ipxe);
    }

    #[test]
    fn what_is_no_class_says_nothing() {
        for data in [&b"\0\0\x01\x57"[..], b"\0\0\x01\x57\0", b"\0\0\x01\x57\0\x0aHTTPClien", b"\0\0\x01\x57HTTPClient"]
        {
            assert_eq!(vendor(data), Ok(Classes::default()), "{data:?}");
        }
        assert_eq!(vendor(b"\0\0\x01"), Err(Malformed::OptionLength));
        let mut none = Classes::default();
        none.read_user(b"iPXE");
        none.read_user(b"\0\x05iPXE");
        assert!(!none.ipxe);
    }
}
