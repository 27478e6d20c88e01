//! A directory of plain SQL into a plan.
