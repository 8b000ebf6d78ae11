//! The Debug Adapter Protocol, as far as a batch job and its client need it.
