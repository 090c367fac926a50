//! Rows for boot files: what EDK2's PXE (P rules) and HTTP boot (H rules), iPXE (I rules), U-Boot (U rules) and shim (S rules) insist
//! on, and for options that the operator configured (O rows).

use dhcpv6macd::policy::{BootPolicy, Policy, UrlTemplate};

use super::{
    Answer, NAME_SERVER, Row,
    answer::{SUCCESS, advertise, reply},
    packet::{
        ARCHITECTURE, BOOT_FILE_URL, CLIENT_ID, CONFIRM, DNS_SERVERS, DUID, ELAPSED_TIME, IA_NA, IAID,
        INFORMATION_REQUEST, Message, OPTION_REQUEST, OTHER_IAID, RAPID_COMMIT, REBIND, RELEASE, RENEW, REQUEST,
        SOLICIT, USER_CLASS, VENDOR_CLASS, bare, message, right,
    },
    policy,
};

pub(super) fn rows() -> Vec<Row> {
    [pxe(), http_boot(), ipxe(), others(), options()].concat()
}

/// Architectures: EFI x86-64, EFI ARM64, EFI x86-64 boot from HTTP.
/// The processor of most machines.
pub const X86_64: &[u8] = &[0, 7];
const ARM64: &[u8] = &[0, 11];
const HTTP_X86_64: &[u8] = &[0, 16];

/// Vendor classes as EDK2 sends them, and the one of an HTTP offer.
const PXE_CLIENT: &[u8] = b"\0\0\x01\x57\0\x20PXEClient:Arch:00007:UNDI:003001";
const HTTP_CLIENT: &[u8] = b"\0\0\x01\x57\0\x21HTTPClient:Arch:00016:UNDI:003001";
const HTTP_OFFER: &[u8] = b"\0\0\x01\x57\0\x0aHTTPClient";
/// User class of iPXE.
const IPXE: &[u8] = b"\0\x04iPXE";

/// The boot URL of HTTP boot and of iPXE on x86-64, for each of their architectures.
const HTTP_URL: &str = "http://[2001:db8:123:4567:1::1]/mac/52:54:00:12:34:56/boot.efi?arch=x86_64&payload=";
const HTTP_PAYLOAD: &str = "eyJhcmNoaXRlY3R1cmVzIjpbIkVGSSB4ODYtNjQgYm9vdCBmcm9tIEhUVFAiXX0%3D";
const IPXE_PAYLOAD: &str = "eyJhcmNoaXRlY3R1cmVzIjpbIkVGSSB4ODYtNjQiXX0%3D";
/// The boot URL of PXE, without the file's name.
const TFTP_URL: &str = "tftp://[2001:db8:123:4567:1::1]/52:54:00:12:34:56/";

impl Message {
    /// As EDK2's PXE asks: for Boot File URL, Boot File Parameters, DNS servers and vendor class.
    /// The same from UEFI PXE, for a processor by its number (RFC 5970 section 3.3).
    #[must_use]
    pub fn pxe(self, architecture: &[u8]) -> Self {
        self.firmware(architecture).option(VENDOR_CLASS, PXE_CLIENT)
    }

    /// The same from UEFI HTTP boot.
    #[must_use]
    pub fn http_boot(self) -> Self {
        self.firmware(HTTP_X86_64).option(VENDOR_CLASS, HTTP_CLIENT)
    }

    /// The same from iPXE.
    #[must_use]
    pub fn ipxe(self) -> Self {
        self.firmware(X86_64).option(VENDOR_CLASS, PXE_CLIENT).option(USER_CLASS, IPXE)
    }

    fn firmware(self, architecture: &[u8]) -> Self {
        const NETWORK_INTERFACE: u16 = 62;
        self.option(OPTION_REQUEST, &[0, 59, 0, 60, 0, 23, 0, 16])
            .option(ARCHITECTURE, architecture)
            .option(NETWORK_INTERFACE, &[1, 3, 1])
    }
}

impl Answer {
    /// With the DNS servers, which every firmware asks for, and this boot URL.
    fn boots(self, url: &str) -> Self {
        self.dns().other(BOOT_FILE_URL, url.as_bytes())
    }

    fn boots_by_http(self, payload: &str) -> Self {
        self.boots(&format!("{HTTP_URL}{payload}"))
    }

    /// With the vendor class of an HTTP offer too.
    fn offers_http(self) -> Self {
        self.boots_by_http(HTTP_PAYLOAD).other(VENDOR_CLASS, HTTP_OFFER)
    }

    fn dns(self) -> Self {
        self.other(DNS_SERVERS, &NAME_SERVER.octets())
    }
}

fn pxe() -> Vec<Row> {
    let url = |file: &str| format!("{TFTP_URL}{file}");
    vec![
        Row::answered(
            "P1_pxe_asks_for_more_than_it_may_get",
            "Boot File Parameters, DNS servers and vendor class, in front of everything else: the DNS servers",
            &bare(SOLICIT).pxe(X86_64).option(ELAPSED_TIME, &[0, 0]).ia_na(IAID, &[]).option(CLIENT_ID, DUID),
            advertise().given(IAID).boots(&url("ipxe.efi")),
        ),
        Row::answered(
            "P3_no_pxe_client",
            "PXE that asks for the vendor class alone: with one in it, it would ask a boot server",
            &message(REQUEST)
                .for_us()
                .option(OPTION_REQUEST, &[0, 16])
                .option(VENDOR_CLASS, PXE_CLIENT)
                .ia_na(IAID, &[right()]),
            reply().given(IAID).other(BOOT_FILE_URL, url("ipxe.efi").as_bytes()),
        ),
        Row::answered(
            "P5_no_boot_file_parameters",
            "PXE that asks for option 60 alone: anything but a size in it fails the boot",
            &message(SOLICIT).option(OPTION_REQUEST, &[0, 60]).option(VENDOR_CLASS, PXE_CLIENT).ia_na(IAID, &[]),
            advertise().given(IAID).other(BOOT_FILE_URL, url("ipxe.efi").as_bytes()),
        ),
        Row::answered(
            "P2_the_boot_file_is_in_the_advertise",
            "PXE on x86-64: iPXE over TFTP; no option 60 (P5), no vendor class (P3)",
            &message(SOLICIT).pxe(X86_64).ia_na(IAID, &[]),
            advertise().given(IAID).boots(&url("ipxe.efi")),
        ),
        Row::answered(
            "P2_the_boot_file_is_in_the_reply",
            "the same in answer to the Request",
            &message(REQUEST).for_us().pxe(X86_64).ia_na(IAID, &[right()]),
            reply().given(IAID).boots(&url("ipxe.efi")),
        ),
        Row::answered(
            "P4_each_architecture_has_its_file",
            "PXE on arm64, where images for several are configured",
            &message(SOLICIT).pxe(ARM64).ia_na(IAID, &[]),
            advertise().given(IAID).boots(&url("ipxe-arm64.efi")),
        ),
        Row::answered(
            "P4_an_architecture_without_an_image",
            "gets its address, and no file that it could not run",
            &message(SOLICIT).pxe(&[0xff, 0xff]).ia_na(IAID, &[]),
            advertise().given(IAID).dns(),
        ),
        Row::answered(
            "P4_no_architecture",
            "PXE that does not say: the file of most",
            &message(SOLICIT).option(VENDOR_CLASS, PXE_CLIENT).ia_na(IAID, &[]),
            advertise().given(IAID).other(BOOT_FILE_URL, url("ipxe.efi").as_bytes()),
        ),
    ]
}

fn http_boot() -> Vec<Row> {
    vec![
        Row::answered(
            "H1_everything_is_in_the_advertise",
            "HTTP boot: address, URL, DNS servers and the vendor class that makes an HTTP offer of it",
            &message(SOLICIT).http_boot().ia_na(IAID, &[]),
            advertise().given(IAID).offers_http(),
        ),
        Row::answered(
            "H1_and_in_the_reply",
            "the same in answer to the Request",
            &message(REQUEST).for_us().http_boot().ia_na(IAID, &[right()]),
            reply().given(IAID).offers_http(),
        ),
        Row::answered(
            "H1_rapid_commit",
            "the same at once",
            &message(SOLICIT).http_boot().option(RAPID_COMMIT, &[]).ia_na(IAID, &[]),
            Answer { rapid_commit: true, ..reply().given(IAID).offers_http() },
        ),
        Row {
            policy: host_with_a_name,
            ..Row::answered(
                "H2_a_host_with_a_name_comes_with_dns_servers",
                "a template that names its host, and the servers that know it in the same Advertise",
                &message(SOLICIT).http_boot().ia_na(IAID, &[]),
                advertise().given(IAID).boots("https://boot.example/x86_64.efi").other(VENDOR_CLASS, HTTP_OFFER),
            )
        },
        Row::answered(
            "H3_a_nul_follows_the_url",
            "even without a Client Identifier, and with nothing else to say",
            &bare(INFORMATION_REQUEST).option(ARCHITECTURE, HTTP_X86_64).option(VENDOR_CLASS, HTTP_CLIENT),
            Answer { client_id: None, ..reply() }
                .other(BOOT_FILE_URL, format!("{HTTP_URL}{HTTP_PAYLOAD}").as_bytes())
                .other(VENDOR_CLASS, HTTP_OFFER),
        ),
    ]
}

/// The same daemon, with a template that names its host.
fn host_with_a_name() -> Policy {
    let policy = policy();
    let http = UrlTemplate::new("https://boot.example/{{.Arch}}.efi", policy.base_address, "eth1").expect("a template");
    Policy { boot: BootPolicy { http: Some(http), ..policy.boot }, ..policy }
}

fn ipxe() -> Vec<Row> {
    let asks_as_it_does = |message: Message| {
        message
            .option(USER_CLASS, IPXE)
            .option(VENDOR_CLASS, PXE_CLIENT)
            .option(ARCHITECTURE, X86_64)
            .option(OPTION_REQUEST, &[0, 23, 0, 24, 0, 59, 0, 60])
    };
    vec![
        Row::answered(
            "I2_ipxe_asks_for_a_search_list_too",
            "and for option 60, which it does not get either",
            &asks_as_it_does(message(SOLICIT).ia_na(IAID, &[])),
            advertise().given(IAID).boots_by_http(IPXE_PAYLOAD).other(24, b"\x03lab\x07example\0"),
        ),
        Row::answered(
            "I3_the_first_association_has_the_address",
            "two IA_NAs, of which iPXE reads one",
            &message(SOLICIT).ipxe().ia_na(IAID, &[]).ia_na(OTHER_IAID, &[]),
            advertise().given(IAID).refused(IA_NA, OTHER_IAID).boots_by_http(IPXE_PAYLOAD),
        ),
        Row::answered(
            "I4_ipxe_gets_the_http_url",
            "it says PXEClient and iPXE: the template's URL, and no vendor class",
            &message(SOLICIT).ipxe().ia_na(IAID, &[]),
            advertise().given(IAID).boots_by_http(IPXE_PAYLOAD),
        ),
        Row::answered(
            "I4_and_in_the_reply",
            "the same in answer to the Request",
            &message(REQUEST).for_us().ipxe().ia_na(IAID, &[right()]),
            reply().given(IAID).boots_by_http(IPXE_PAYLOAD),
        ),
        Row::answered(
            "I1_an_information_request_boots_too",
            "iPXE behind a router whose advertisements have the O flag alone",
            &message(INFORMATION_REQUEST).ipxe(),
            reply().boots_by_http(IPXE_PAYLOAD),
        ),
    ]
}

fn others() -> Vec<Row> {
    vec![
        Row::answered(
            "E13_two_associations_in_a_boot",
            "the firmware's IP stack asks for DNS servers alone, under another IAID: the same address, and no boot file",
            &message(SOLICIT).option(OPTION_REQUEST, &[0, 23]).ia_na(OTHER_IAID, &[]),
            advertise().given(OTHER_IAID).dns(),
        ),
        Row::answered(
            "E13_an_information_request_of_the_firmware",
            "behind a router whose advertisements have the O flag alone: DNS servers, and no boot file",
            &message(INFORMATION_REQUEST).option(OPTION_REQUEST, &[0, 23]),
            reply().dns(),
        ),
        Row::answered(
            "U1_a_client_without_classes_gets_no_boot_file",
            "it asks for one and names its architecture, and nothing else",
            &message(SOLICIT).firmware(X86_64).ia_na(IAID, &[]),
            advertise().given(IAID).dns(),
        ),
        Row::answered(
            "S1_the_url_is_at_the_beginning",
            "of a Reply with as much in it as there can be: shim reads 1024 bytes",
            &(1..16).fold(
                message(REQUEST).for_us().option(OPTION_REQUEST, ALL).option(VENDOR_CLASS, PXE_CLIENT).ia_na(0, &[]),
                |message, iaid| message.ia_na(iaid, &[]),
            ),
            (1..16)
                .fold(reply().given(0), |answer, iaid| answer.refused(IA_NA, iaid))
                .everything()
                .other(BOOT_FILE_URL, format!("{TFTP_URL}ipxe.efi").as_bytes()),
        ),
        Row::answered(
            "S1_the_url_is_at_the_beginning",
            "a Renew in mid-boot is told again",
            &message(RENEW).for_us().pxe(X86_64).ia_na(IAID, &[right()]),
            reply().given(IAID).boots(&format!("{TFTP_URL}ipxe.efi")),
        ),
        Row::answered(
            "E9_a_release_says_nothing_else",
            "whatever it asks for",
            &message(RELEASE).for_us().pxe(X86_64).ia_na(IAID, &[right()]),
            reply().status(SUCCESS),
        ),
        Row::answered(
            "E10_a_confirm_says_nothing_else",
            "whatever it asks for",
            &message(CONFIRM).pxe(X86_64).ia_na(IAID, &[right()]),
            reply().status(SUCCESS).given(IAID),
        ),
    ]
}

/// Codes of all options that can be configured, as an Option Request.
const ALL: &[u8] = &[0, 23, 0, 24, 0, 31, 0, 32, 0, 41, 0, 42, 0, 56, 0, 82];

impl Answer {
    fn everything(self) -> Self {
        let server = NAME_SERVER.octets();
        self.dns()
            .other(24, b"\x03lab\x07example\0")
            .other(31, &server)
            .other(41, b"UTC0")
            .other(42, b"Etc/UTC")
            .other(56, &[&[0, 1, 0, 16][..], &server].concat())
            .other(82, &3600_u32.to_be_bytes())
    }
}

fn options() -> Vec<Row> {
    vec![
        Row::answered(
            "O_whoever_asks_gets_them",
            "a Rebind that asks for all: a refresh time is for those without an address",
            &message(REBIND).option(OPTION_REQUEST, ALL).ia_na(IAID, &[right()]),
            reply().given(IAID).everything(),
        ),
        Row::answered(
            "O_information_request",
            "asks for all: with the refresh time (RFC 9915 section 21.23)",
            &message(INFORMATION_REQUEST).option(OPTION_REQUEST, ALL),
            reply().everything().other(32, &7200_u32.to_be_bytes()),
        ),
        Row::answered(
            "O_nobody_else_does",
            "a Solicit without an Option Request",
            &message(SOLICIT).ia_na(IAID, &[]),
            advertise().given(IAID),
        ),
    ]
}
