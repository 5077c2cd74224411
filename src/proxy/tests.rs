//! Both files of one rich table, whole; and what reading makes of them.
