//! The name/token service of one system (z/OS: IEANTCR, IEANTRT, IEANTDL at system level).
