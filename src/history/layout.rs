//! How a directory names and orders its migrations.
