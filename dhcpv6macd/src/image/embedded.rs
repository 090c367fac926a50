//! The images that the build script found; empty where there is none.

pub(super) const X86_64: &[u8] = include_bytes!(env!("DHCPV6MACD_EMBEDDED_X86_64"));
pub(super) const ARM64: &[u8] = include_bytes!(env!("DHCPV6MACD_EMBEDDED_ARM64"));
pub(super) const RISCV64: &[u8] = include_bytes!(env!("DHCPV6MACD_EMBEDDED_RISCV64"));
