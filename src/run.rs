//! Carries a plan out: step by step, through its gates, remembered in the ledger.
