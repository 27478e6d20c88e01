//! Ordered histories: paths to migrations, whatever tool wrote them.

mod baseline;
pub mod layout;
pub mod live;
pub mod migration;
mod parallel;
mod printed;
pub mod since;
pub mod stdin;
mod text;

pub use live::Live;
pub use migration::{History, Irregular, Migration, Phase};
