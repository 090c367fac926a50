//! A request and the policy become an outcome. Pure: no socket, no clock, no thread.
