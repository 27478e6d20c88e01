//! Ordered histories: paths to migrations, whatever tool wrote them.

pub mod layout;
pub mod migration;
pub mod since;

pub use migration::{History, Irregular, Migration, Phase};
