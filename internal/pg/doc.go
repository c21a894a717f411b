// Package pg moves PostgreSQL databases: it stops writes and proves it,
// copies one database whole to another server, compares the two row by row,
// and reads what users will need before they come. It is the only package that
// speaks to PostgreSQL.
//
// Its files are families; the file that bears the family's name alone has its
// options, its result and the order of what is done, and each other one idea of
// it. A check reads only and refuses (…_check, …_refuse), an undo takes back
// what a call with the same state has done, however far it came (…_undo).
//
// What moves a database:
//
//	preflight    what stands in the way of a move, all at once, and how long each way takes
//	copy         one moment of the source becomes the target; ledger is how far it is
//	schema       what pg_dump says, made on the target piece by piece
//	globals      what stands around a database: roles, memberships, settings, privileges
//	select       which part of a database is meant
//	snapshot     the moment that many sessions read, also when this process has died
//	follow       the copy goes on receiving what is written, by logical replication
//	replication  one stream of that: publication, slot and subscription
//	freeze       no write reaches the old database, and that is proved
//	switch       the follower becomes the primary, and the old one follows it: the way home
//
// What proves and prepares:
//
//	verify       the headcount: both sides compared, with each difference named
//	rowdiff      its core: streams of rows in one order, and hashes where all is the same
//	unwritten    nothing was written to a database since a moment
//	warm         blocks read before the users need them
//
// What keeps a whole server:
//
//	replica      a physical standby is made
//	promote      a standby becomes the primary, and the old one is fenced
//	program      a server's own programs and files on this machine
//	role         what a database is in replication
//
// What all of it stands on: conn (a session and its pinned settings), dialect
// (SQL for each version), server_change (ALTER SYSTEM), copyout, tap and relay
// (rows as bytes, without a message for each), task (work in the order of what
// it waits for). SQL of length is in files: *.sql, and catalog/ for what the
// catalogs say of objects.
package pg
