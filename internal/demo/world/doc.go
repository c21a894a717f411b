// Package world is everything around a demo's conductor: two real PostgreSQL
// servers, the gateway, the shop's two apps, the maintenance page, the
// customers, and the people who tick and approve. It lives in a process of its
// own, so that it outlives a conductor that is killed.
package world
