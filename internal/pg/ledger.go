package pg

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
)

// ledgerSchema holds, in the target, what an unfinished copy has done. Whatever
// the copy commits there it commits together with its line in the ledger, so
// that a kill leaves no doubt. It is dropped last.
const ledgerSchema = "evac_ledger"

// Its tables, each with a key, because a publication of all tables takes them
// in: run (one row), entry (schema entries and phases that are
// done), chunk (the plan of the data, with what is done of it), undo
// (statements that put back what stood around the database, latest first),
// last (statements that wait for the very end), warning.
const ledgerTables = `
create schema evac_ledger;
create table evac_ledger.run (
	token text primary key, mark jsonb not null, dump text not null, kept text[] not null, held jsonb, undoing boolean not null default false);
create table evac_ledger.entry (key text primary key);
create table evac_ledger.chunk (
	id int primary key, what text not null, schema_name text not null, table_name text not null, columns text[] not null,
	source text not null, first bigint not null, past bigint not null, is_binary boolean not null, fresh boolean not null, weight bigint not null, rows bigint, bytes bigint);
create unlogged table evac_ledger.unlogged (id int primary key);
create table evac_ledger.undo (id serial primary key, sql text not null);
create table evac_ledger.last (id serial primary key, sql text not null);
create table evac_ledger.warning (id serial primary key, text text not null unique);
`

// ledgerRun is the ledger's head.
type ledgerRun struct {
	// Token names the copy that the ledger is of.
	Token string
	// Mark is the source's moment whose rows are in the target.
	Mark FreezeMark
	// Dump is the pg_dump that wrote the entries: another may word them otherwise.
	Dump string
	// Kept are the extensions that stood in the target before.
	Kept []string
	// Held is the snapshot that is copied, if a holder holds it.
	Held *HeldSnapshot
	// Undoing tells that what was made is being dropped.
	Undoing bool
}

// querier is a session or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// readLedger gives the head of the target's ledger, nil if there is none.
func readLedger(ctx context.Context, conn querier) (*ledgerRun, error) {
	var there bool
	err := conn.QueryRow(ctx, "select pg_catalog.to_regclass('evac_ledger.run') is not null").Scan(&there)
	if err != nil || !there {
		return nil, wrapLedger("look for", err)
	}
	var l ledgerRun
	var mark, held []byte
	err = conn.QueryRow(ctx, "select token, mark, dump, kept, held, undoing from evac_ledger.run").Scan(&l.Token, &mark, &l.Dump, &l.Kept, &held, &l.Undoing)
	if err == nil {
		err = json.Unmarshal(mark, &l.Mark)
	}
	if err == nil && held != nil {
		err = json.Unmarshal(held, &l.Held)
	}
	return &l, wrapLedger("read", err)
}

// openLedger is readLedger for the owner of the token; another's is refused.
func openLedger(ctx context.Context, conn querier, token string) (*ledgerRun, error) {
	l, err := readLedger(ctx, conn)
	if err != nil || l == nil || l.Token == token {
		return l, err
	}
	return nil, fault.New(fault.Busy, fmt.Sprintf("an unfinished copy of another run stands in the target (token %q)", l.Token),
		"resume or undo that run; or take an empty database as target")
}

// begin writes the head of a new ledger.
func (l ledgerRun) begin(ctx context.Context, tx pgx.Tx) error {
	mark, err := json.Marshal(l.Mark)
	if err != nil {
		return wrapLedger("begin", err)
	}
	if _, err := tx.Conn().PgConn().Exec(ctx, ledgerTables).ReadAll(); err != nil {
		return wrapLedger("begin", err)
	}
	_, err = tx.Exec(ctx, "insert into evac_ledger.run (token, mark, dump, kept, undoing) values ($1, $2, $3, $4, $5)", l.Token, mark, l.Dump, l.Kept, l.Undoing)
	if err != nil {
		return wrapLedger("begin", err)
	}
	return noteHeld(ctx, tx, l.Held)
}

// noteHeld enters which snapshot is copied from now on.
func noteHeld(ctx context.Context, tx querier, held *HeldSnapshot) error {
	text, err := json.Marshal(held)
	if err == nil && held == nil {
		text = nil
	}
	if err == nil {
		_, err = tx.Exec(ctx, "update evac_ledger.run set held = $1", text)
	}
	return wrapLedger("write", err)
}

// done tells whether a phase or schema entry is in the ledger.
func done(ctx context.Context, conn querier, key string) (is bool, err error) {
	err = conn.QueryRow(ctx, "select exists (select from evac_ledger.entry where key = $1)", key).Scan(&is)
	return is, wrapLedger("read", err)
}

// doneKeys lists all phases and schema entries in the ledger.
func doneKeys(ctx context.Context, conn querier) (map[string]bool, error) {
	keys, err := texts(ctx, conn, "select key from evac_ledger.entry")
	set := make(map[string]bool, len(keys))
	for _, k := range keys {
		set[k] = true
	}
	return set, wrapLedger("read", err)
}

// markDone enters phases or schema entries.
func markDone(ctx context.Context, tx querier, keys ...string) error {
	_, err := tx.Exec(ctx, "insert into evac_ledger.entry (key) select unnest($1::text[])", keys)
	return wrapLedger("write", err)
}

// unmark takes schema entries out that were dropped again.
func unmark(ctx context.Context, tx querier, keys ...string) error {
	_, err := tx.Exec(ctx, "delete from evac_ledger.entry where key = any($1::text[])", keys)
	return wrapLedger("write", err)
}

// noteUndo enters statements that take back what the same transaction does.
func noteUndo(ctx context.Context, tx querier, sql ...string) error {
	return insertEach(ctx, tx, "insert into evac_ledger.undo (sql) select u from unnest($1::text[]) with ordinality x(u, n) order by n", sql)
}

// noteLast enters statements for the very end.
func noteLast(ctx context.Context, tx querier, sql ...string) error {
	return insertEach(ctx, tx, "insert into evac_ledger.last (sql) select u from unnest($1::text[]) with ordinality x(u, n) order by n", sql)
}

// noteWarning enters what the operator must read in the end.
func noteWarning(ctx context.Context, tx querier, text ...string) error {
	return insertEach(ctx, tx, "insert into evac_ledger.warning (text) select unnest($1::text[]) on conflict do nothing", text)
}

func insertEach(ctx context.Context, tx querier, sql string, values []string) error {
	if len(values) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, sql, values)
	return wrapLedger("write", err)
}

// texts reads one column of texts.
func texts(ctx context.Context, conn querier, sql string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func wrapLedger(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s ledger of target: %w", verb, err)
}
