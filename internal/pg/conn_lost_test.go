package pg

import (
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/testenv"
)

// Whatever was being done: it is said whose connection broke, and what to do.
func TestALostConnectionIsNamed(t *testing.T) {
	dsn := testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	for name, lose := range map[string]func(wire *testenv.Wire){
		"cut": func(wire *testenv.Wire) { wire.Reset() },
		"ended": func(*testenv.Wire) {
			once(t, dsn, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'evac losing'")
		},
	} {
		t.Run(name, func(t *testing.T) {
			wire := testenv.NewWire(t, dsn)
			conn, err := Connect(t.Context(), wire.DSN(dsn), ConnOptions{Application: "evac losing", Side: Source})
			if err != nil {
				t.Fatal(err)
			}
			lose(wire)
			_, err = conn.Exec(t.Context(), "select 1")
			want := map[string][]string{
				"cut":   {"the connection to source postgres@127.0.0.1:", " is lost: ", "pg_isready -h 127.0.0.1 -p", "the same command again, or evac resume, goes on"},
				"ended": {"source postgres@127.0.0.1:", " has ended the session: terminating connection due to administrator command (SQLSTATE 57P01)"},
			}
			wantRefused(t, err, want[name]...)
			if err := hangUp(t.Context(), conn); err != nil {
				t.Errorf("hang up: %v", err)
			}
		})
	}
}

// Before the login is through, the connect says it all.
func TestALoginThatIsLostSaysSoOnce(t *testing.T) {
	dsn := testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	wire := testenv.NewWire(t, dsn)
	wire.Swallow()
	_, err := Connect(t.Context(), wire.DSN(dsn).Default("connect_timeout", "1"), ConnOptions{Application: "evac losing", Side: Target})
	if err == nil || strings.Contains(err.Error(), "is lost") || !strings.Contains(err.Error(), "connect to target") {
		t.Errorf("connect: %v", err)
	}
}
