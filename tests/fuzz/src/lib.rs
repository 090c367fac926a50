//! Fuzz targets for whatever a worker may find in its ring: `frame`, bytes as they come off the wire; `dhcpv6`, bytes as a DHCPv6
//! message in a frame whose lengths and checksum are right; and `responder`, such a message where the operator has decided otherwise.
//! What must hold is [`judge`](dhcpv6macd_tests::golden::judge). `tftp` is packets of TFTP clients, and time; what must hold is
//! [`judge_packets`](dhcpv6macd_tests::transfers::judge_packets). And one for whatever may be in a file: `capture`, which is replayed
//! without a panic.
//!
//! `cargo xtask fuzz --seconds 3600` runs them. A stable compiler and a C++ compiler do.
//!
//! What crashes a target becomes a golden row, with one sentence that says what it is.
