package pg

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/testenv"
)

// A day is one of the users' time zone: what a constraint compares, and what a
// materialized view holds. Rows that a constraint looks up come before those
// that it is of. And a schema may be named after evac.
func TestCopyComputesAsUsersDo(t *testing.T) {
	tr := newTripOn(t, testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, testenv.Postgres(t, testenv.Newer)), `
		do $$ begin execute format('alter database %I set timezone = %L', current_database(), 'Asia/Tokyo'); end $$;
		set timezone = 'Asia/Tokyo';
		create table events (id int primary key, at timestamptz, day date check (day = at::date));
		insert into events values (1, '2024-01-01 03:00', '2024-01-01');
		create materialized view days as select at::date as day, at::text as text, interval '1 day'::text as span from events;
		create schema evac_own;
		create table evac_own.known (id int primary key);
		insert into evac_own.known values (1);
		create function public.knows(i int) returns bool language plpgsql as 'begin return exists (select from evac_own.known where id = i); end';
		create table asking (id int primary key, k int check (public.knows(k)), filler text);
		insert into asking select i, 1, repeat('x', 1000) from generate_series(1, 1000) i`)
	tr.copy(t)
	const sql = "select string_agg(d::text, ' ') from days d"
	if diff := cmp.Diff(one(t, tr.From, sql), one(t, tr.To, sql)); diff != "" {
		t.Errorf("view of source (-) and target (+):\n%s", diff)
	}
	if got := headcount(t, tr.From, tr.To, enough); !got.Equal() {
		t.Errorf("differences %v", got.Differences)
	}
	once(t, tr.To, "insert into evac_own.known values (2)")
	if diff := cmp.Diff([]string{"extra evac_own.known 2"}, said(headcount(t, tr.From, tr.To, enough).Differences)); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
}
