//! The client's socket on its way into the job (z/OS: givesocket/takesocket; here SCM_RIGHTS over a Unix socket).
