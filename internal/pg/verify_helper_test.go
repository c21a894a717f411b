package pg

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

// enough is memory for every difference of these tests.
const enough = 64 << 20

func headcount(t testing.TB, source, target secret.DSN, memory int64) VerifyResult {
	t.Helper()
	result, err := Verify(t.Context(), source, target, VerifyOptions{
		Jobs: 2, MaxDifferences: 1000, Memory: memory, Total: func(int64) {}, Read: func(int64) {}, Found: func(Difference) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Equal tells whether both databases are the same.
func (r VerifyResult) Equal() bool { return r.Data.Equal() && r.Objects.Equal() }

// twoSides are databases of different majors that hold the same.
func twoSides(t testing.TB, sql string) (source, target secret.DSN) {
	t.Helper()
	source = testenv.Database(t, testenv.Postgres(t, testenv.Older))
	target = testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	var both errgroup.Group
	for _, side := range []secret.DSN{source, target} {
		both.Go(func() error { return tryOnce(t.Context(), side, sql) })
	}
	if err := both.Wait(); err != nil {
		t.Fatal(err)
	}
	return source, target
}

// said writes differences as short as a test wants them: kind, table, key.
func said(list []Difference) []string {
	lines := []string{}
	for _, d := range list {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", d.Kind, d.Table, d.Key)))
	}
	slices.Sort(lines)
	return lines
}

// everyKey are tables with every sort of key and value.
const everyKey = `
	create type mood as enum ('sad', 'ok', 'Happy');
	create type pair as (a int, b text);
	create domain positive as int check (value > 0);
	create schema "Odd ""Schema""";
	create table ints (id bigint primary key, v text);
	insert into ints select i, 'v' || i from generate_series(-50, 50) i;
	create table texts (id text primary key, v int);
	insert into texts select t, 1 from unnest(array['a','A','b','B','ä','Z','_','', ' ', 'é', E'e\u0301', '日本', E'tab\there', E'line\nend', E'back\\slash', '\N', 'a b', 'a,b', '"q"', '𝄞']) t;
	create table "Odd ""Schema"""."Ta""ble" ("Ke y" uuid primary key, "select" text, "a""b" int);
	insert into "Odd ""Schema"""."Ta""ble" select md5(i::text)::uuid, null, i from generate_series(1, 20) i;
	create table composite (a int, b text, c date, v numeric, primary key (c, a, b));
	insert into composite select i % 3, 'x' || i, date '2024-01-01' + i, i / 7.0 from generate_series(1, 30) i;
	create table numerics (n numeric primary key, f float8, r float4);
	insert into numerics values (1.0, '-0', 0), (2.50, 'NaN', 'inf'), ('NaN', 0.1, 0.1), (-3, '-inf', 1e-40), (100000000000000000000.000001, 1e308, 3);
	create table moods (m mood primary key, at timestamptz, d date, i interval, t time with time zone, v bool);
	insert into moods values ('sad', 'infinity', '-infinity', '1 mon', '12:00+02', true), ('ok', '4713-01-01 BC', 'epoch', '30 days', '00:00', false), ('Happy', null, null, null, null, null);
	create table documents (id bytea primary key, j json, b jsonb, a int[], p pair, n inet, r int4range, v tsvector, s text[]);
	insert into documents values ('\x00', '{"a": 1}', '{"a": 1}', '[2:3]={1,2}', (1, 'x'), '10.0.0.1/8', '[1,5)', 'a b', array['x', null, 'NULL', '', '"']), ('\xff', 'null', 'null', '{}', null, null, 'empty', '', '{}');
	create table uniques (id int not null, code char(5) not null unique, v text) ;
	insert into uniques select i, 'c' || i, 'v' from generate_series(1, 10) i;
	create table keyless (a text, b int);
	insert into keyless select 'same', 1 from generate_series(1, 10) union all values (null, 1), ('', 1), ('x', null);
	create table maybe (a int unique, b int); -- its unique column may be null
	insert into maybe values (null, 1), (null, 1), (1, 2);
	create table nothing (); insert into nothing default values; insert into nothing default values;
	create unlogged table unlogged (id positive primary key); insert into unlogged values (1), (2);
	create table parent (id int primary key, v text); create table child (w text) inherits (parent);
	insert into parent values (1, 'p'); insert into child values (2, 'c', 'w');
	create table leaves (id int, region text, v text, primary key (id, region)) partition by list (region);
	create table leaves_eu partition of leaves for values in ('eu'); create table leaves_us partition of leaves for values in ('us');
	insert into leaves values (1, 'eu', 'x'), (2, 'us', 'y');
	create table made (id int primary key, twice int generated always as (id * 2) stored); insert into made values (1), (2);
	create sequence drawn; select nextval('drawn'); create sequence fresh; create sequence gone;
	create materialized view seen as select count(*) from ints; create materialized view blank as select 1 with no data;
	select lo_from_bytea(70001, decode(repeat('ab', 100000), 'hex')), lo_from_bytea(70002, ''), lo_from_bytea(70003, 'x');
`

func isObject(d Difference) bool { return d.Class == ClassObject }
