package pg

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVerifyOfAPart(t *testing.T) {
	source, target := twoSides(t, `
		create schema app; create schema other;
		create table app.orders (id serial primary key, v int); create table app.log (v int); create table other.t (id int primary key);
		create function app.f() returns int language sql as 'select 1'; create function other.f() returns int language sql as 'select 1';
		comment on table app.orders is 'one'; comment on table app.log is 'one';
		create index orders_v on app.orders (v);
		select lo_from_bytea(91001, 'x')`)
	once(t, target, `
		insert into app.orders (v) values (5); insert into app.log values (1); insert into other.t values (1); drop index app.orders_v;
		drop function app.f(); drop function other.f(); comment on table app.orders is 'two'; comment on table app.log is 'two';
		select lo_unlink(91001); comment on schema app is 'x'`)
	orders := []string{"different comment table app.orders", "different app.orders_id_seq", "extra app.orders 1", "missing index app.orders_v"}
	log := []string{"different comment table app.log", "extra app.log"}
	app := []string{"missing function app.f()", "missing rights function app.f()", "extra comment schema app"}
	other := []string{"extra other.t 1", "missing function other.f()", "missing rights function other.f()"}
	outside := []string{"missing large object 91001 piece 0", "missing rights large object 91001"}
	for _, c := range []struct {
		name string
		o    VerifyOptions
		want [][]string
	}{
		{"all", VerifyOptions{}, [][]string{orders, log, app, other, outside}},
		{"a table", VerifyOptions{Select: Selection{Tables: []string{"app.orders"}}}, [][]string{orders}},
		{"a schema", VerifyOptions{Select: Selection{Schemas: []string{"app"}}}, [][]string{orders, log, app}},
		{"a schema but a table", VerifyOptions{Select: Selection{Schemas: []string{"a*"}, NotTables: []string{"*.l*g"}}}, [][]string{orders, app}},
		{"but a schema", VerifyOptions{Select: Selection{NotSchemas: []string{"app"}}}, [][]string{other, outside}},
		{"rows", VerifyOptions{Only: OnlyRows}, [][]string{orders[1:3], log[1:], other[:1], outside[:1]}},
		{"objects", VerifyOptions{Only: OnlyObjects}, [][]string{orders[:1], orders[3:], log[:1], app, other[1:], outside[1:]}},
	} {
		c.o.Jobs, c.o.MaxDifferences, c.o.Memory = 2, 100, enough
		c.o.Total, c.o.Read, c.o.Found = func(int64) {}, func(int64) {}, func(Difference) {}
		got, err := Verify(t.Context(), source, target, c.o)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{}
		for _, list := range c.want {
			for _, one := range list {
				want[one]++
			}
		}
		have := map[string]int{}
		for _, one := range said(got.Differences) {
			have[one]++
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
