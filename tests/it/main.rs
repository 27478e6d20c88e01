//! All integration tests, one binary: a file per room or promise.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod backfill;
mod catalog;
mod cli;
mod contract;
mod crash;
mod database;
mod demo;
mod effects;
mod formats;
mod frozen;
mod fuzz;
mod gates;
mod kill;
mod known;
mod layouts;
mod lease;
mod ledger;
mod lint;
mod live;
mod pgbouncer;
mod metrics;
mod plan;
mod python;
mod read_only;
mod recipes;
mod releases;
mod rights;
mod risk;
mod rules;
mod run;
mod safe;
mod seen;
mod selection;
mod servers;
mod signals;
mod since;
mod sql;
mod status;
mod stdin;
mod suppressions;
mod temporary;
mod throttle;
mod tidy;
mod unreadable;
