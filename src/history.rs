//! Ordered histories: paths to migrations, whatever tool wrote them.

pub mod layout;
pub mod migration;
mod parallel;
mod printed;
pub mod since;
pub mod stdin;
mod text;

pub use migration::{History, Irregular, Migration, Phase};
