// Package servers finds or gets real servers and runs them on this machine
// for demos, drills and tests, as root or as an ordinary user, on Linux and
// macOS. A server is a process of its own session: it may outlive the process
// that started it and be found again by its directory.
//
// Nothing here is for production: servers listen on 127.0.0.1 alone.
package servers
