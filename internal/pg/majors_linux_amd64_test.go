package pg

import (
	"testing"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

// The move that evac exists for: a server of 9.4, frozen, to 9.5 and to 17,
// complete and proved. 9.4 is offered for this platform alone.
func TestMoveFrom94(t *testing.T) {
	t.Parallel()
	source := testenv.Database(t, quietServer(t, "9.4"))
	load(t, source, oldContrib+oldEverything)
	for _, to := range []testenv.Which{"9.5", "17"} {
		t.Run("to "+string(to), func(t *testing.T) {
			moveOld(t, source, testenv.Database(t, quietServer(t, to)))
		})
	}
}

// Between 9.4 and 17 the text of floating-point numbers differs; equal ones are
// found equal, and one that differs in its last bit is named, wherever it is.
func TestVerifyFloatsBetweenMajors(t *testing.T) {
	t.Parallel()
	source, target := testenv.Database(t, testenv.Postgres(t, "9.4")), testenv.Database(t, testenv.Postgres(t, "17"))
	for _, side := range []secret.DSN{source, target} {
		load(t, side, `
			create type inner_type as (x float8, n text);
			create type outer_type as (i inner_type, a float4[]);
			create domain ratio as float8 check (value > 0);
			create type span as range (subtype = float8);
			create table f (id int primary key, plain float8, list float8[], place point, part outer_type, parts inner_type[], ratio ratio, span span);
			insert into f select g, g / 3::float8, array[g / 3::float8, null], point(g / 3::float8, 1), row(row(g / 3::float8, 'n'), array[g / 3::float4])::outer_type,
				array[row(g / 3::float8, null)::inner_type, null], g / 3::float8, span(g / 3::float8, null) from generate_series(1, 8) g;
			insert into f (id, list, part, parts, span) values (9, '{}', row(null, null), '{}', 'empty'), (10, null, null, null, null);
			insert into f (id, part, parts) values (11, row(row(null, null), '{}')::outer_type, '[2:3]={"(,)","(0.1,x)"}')`)
	}
	if got := headcount(t, source, target, enough); !got.Data.Equal() || got.Data.Rows != 11 {
		t.Fatalf("equal sides: %+v %v", got.Data, got.Differences)
	}
	once(t, target, `
		update f set plain = 0.33333333333333337 where id = 1;
		update f set list[1] = 0.66666666666666674 where id = 2;
		update f set place = point(1.0000000000000002, 1) where id = 3;
		update f set part.i.x = 1.3333333333333335 where id = 4;
		update f set parts[1].x = 1.6666666666666665 where id = 5;
		update f set ratio = 2.0000000000000004 where id = 6;
		update f set span = span(2.3333333333333339, null) where id = 7;
		update f set part.a[1] = 2.666667 where id = 8;
		update f set part = row(row(null, null), null) where id = 9;
		update f set parts = '{}' where id = 10;
		update f set parts = '[1:2]={"(,)","(0.1,x)"}' where id = 11`)
	if got := headcount(t, source, target, enough); got.Data.Different != 11 {
		t.Errorf("unequal sides: %+v %v", got.Data, got.Differences)
	}
}
