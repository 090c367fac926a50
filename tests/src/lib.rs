//! The lab: the real daemon, the real kernel and real or simulated clients, in network namespaces.

pub mod bench;
pub mod capture;
pub mod demo;
pub mod efi;
pub mod golden;
pub mod lab;
pub mod population;
pub mod progress;
pub mod subscribers;
pub mod table;
pub mod tftp;
pub mod transfers;
