//! The XDP entry: a verdict becomes an action, and is counted.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]
#![cfg_attr(target_arch = "bpf", expect(unsafe_code, reason = "packets and maps are the kernel's memory"))]

/// Off the BPF target there is nothing to run; the library is what the host uses.
#[cfg(not(target_arch = "bpf"))]
fn main() {}

#[cfg(target_arch = "bpf")]
mod program {
    use aya_ebpf::{
        Global,
        bindings::xdp_action::XDP_PASS,
        macros::{map, xdp},
        maps::{DevMap, HashMap, PerCpuArray},
        programs::XdpContext,
    };
    use dhcpv6macd_ebpf::{Frame, Ours, Verdict, classify, map as abi};
    use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

    #[map]
    static STEERING_LINK: DevMap = DevMap::with_max_entries(1, 0);
    #[map]
    static OWN_ADDRESSES: HashMap<[u8; 16], u8> = HashMap::with_max_entries(abi::OWN_ADDRESSES_MAX, 0);
    #[map]
    static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(abi::COUNTERS_LEN, 0);

    #[unsafe(no_mangle)]
    static DHCPV6_PORT: Global<u16> = Global::new(547);
    #[unsafe(no_mangle)]
    static TFTP_PORT: Global<u16> = Global::new(69);

    /// The group bit, in the first byte of an Ethernet address (IEEE 802-2014 section 8.2).
    const GROUP_BIT: u8 = 1;

    /// Lifts our frames off the interface; everything else goes on as if this program were not there.
    #[xdp]
    fn dhcpv6macd(context: XdpContext) -> u32 {
        let verdict = classify(&Packet(&context), &Interface);
        count(verdict);
        #[cfg(feature = "log")]
        aya_log_ebpf::debug!(&context, "{}", verdict.name());
        match verdict {
            // Without a steering link in the map the frame passes.
            Verdict::Steer(_) => match STEERING_LINK.redirect(0, u64::from(XDP_PASS)) {
                Ok(action) => {
                    address_to_nobody(&context);
                    action
                }
                Err(action) => action,
            },
            Verdict::Pass(_) => XDP_PASS,
        }
    }

    /// Clears the group bit of the Ethernet destination. Behind the steering link a packet socket takes the frame whoever it is
    /// for, and the namespace's own IPv6 then drops at first sight what is not for its host (`ipv6_rcv`, `net/ipv6/ip6_input.c`).
    #[inline(always)]
    fn address_to_nobody(context: &XdpContext) {
        let start = context.data();
        // The whole address: a check of one byte is folded into a comparison that the verifier learns nothing from.
        if start + size_of::<[u8; 6]>() > context.data_end() {
            return;
        }
        // SAFETY: inside the packet, as just checked (and checked again by the verifier), and nobody else has the packet.
        let destination = unsafe { &mut *(start as *mut [u8; 6]) };
        let [first, ..] = destination;
        *first &= !GROUP_BIT;
    }

    #[inline(always)]
    fn count(verdict: Verdict) {
        if let Some(counter) = COUNTERS.get_ptr_mut(verdict.index()) {
            // SAFETY: a per-CPU slot, and the program is not preempted by itself on one CPU.
            unsafe { *counter += 1 };
        }
    }

    struct Packet<'a>(&'a XdpContext);

    impl Frame for Packet<'_> {
        #[inline(always)]
        fn view<T: FromBytes + Immutable + KnownLayout + Unaligned>(&self, offset: usize) -> Option<&T> {
            let start = self.0.data() + offset;
            if start + size_of::<T>() > self.0.data_end() {
                return None;
            }
            // SAFETY: inside the packet, as just checked (and checked again by the verifier); any bytes are a `T`, at any alignment.
            Some(unsafe { &*(start as *const T) })
        }
    }

    struct Interface;

    impl Ours for Interface {
        #[inline(always)]
        fn dhcpv6_port(&self) -> u16 {
            DHCPV6_PORT.load()
        }

        #[inline(always)]
        fn tftp_port(&self) -> Option<u16> {
            match TFTP_PORT.load() {
                0 => None,
                port => Some(port),
            }
        }

        #[inline(always)]
        fn owns(&self, address: &[u8; 16]) -> bool {
            OWN_ADDRESSES.get_ptr(address).is_some()
        }
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }

    /// The kernel lends helpers that are marked GPL only to programs that say so.
    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 4] = *b"GPL\0";
}
