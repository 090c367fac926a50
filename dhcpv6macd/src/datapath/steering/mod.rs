//! What lifts our frames off the interface: a program that redirects them, and a link that carries them to the rings. Both end
//! with this process.

mod link;
mod program;

pub use self::{
    link::{SteeringLink, SteeringLinkError},
    program::{STEERING_PROGRAM, SteeringCounters, SteeringProgram, SteeringProgramError, XdpMode, program_name},
};
