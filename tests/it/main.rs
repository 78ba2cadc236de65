//! The integration tests: most run the built binary against real servers and read what a pipeline would read.
//!
//! One binary, because each further one would link palier and its dependencies again. Counts and orders are
//! asserted exactly, times only as wide bounds on one side: the machine that runs them has other things to do.

mod any_profile;
mod arrivals;
mod command_line;
mod demo;
mod fail_closed;
mod faults;
mod fuzz;
mod generator;
mod house;
mod import;
mod kubernetes;
mod latency;
mod long;
mod outages;
mod panics;
mod profiles;
mod readme;
mod regression;
mod reports;
mod secrets;
mod sessions;
mod shards;
mod signals;
mod slow;
mod support;
mod sweep;
mod terminal;
mod thresholds;
mod tools;
mod virtual_users;
