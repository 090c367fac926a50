//! Fuzz targets for whatever a worker may find in its ring: `frame`, bytes as they come off the wire, and `message`, bytes as a
//! DHCPv6 message in a frame whose lengths and checksum are right. What must hold is [`judge`](dhcpv6macd_tests::golden::judge).
//! And one for whatever may be in a file: `capture`, which is replayed without a panic.
//!
//! A stable toolchain does, with `RUSTC_BOOTSTRAP=1` for the sanitizer's flags, and `cargo install cargo-fuzz`. From the
//! workspace's root, once the steering program is built (`cargo xtask build`):
//!
//! ```sh
//! cargo run --manifest-path tests/fuzz/Cargo.toml --example seed  # golden rows and captures become the corpus
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz message -- -max_len=2048 -max_total_time=60
//! ```
//!
//! What crashes a target becomes a golden row, with one sentence that says what it is.
