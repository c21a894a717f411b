package proof

import "testing"

// A closed side has one setting more than the other, wherever it stands among
// those of the database.
func TestExpectedFolds(t *testing.T) {
	for fact, want := range map[string]string{
		"setting everyone {default_transaction_read_only=on,TimeZone=UTC}": "setting everyone {TimeZone=UTC}",
		"setting everyone {TimeZone=UTC,default_transaction_read_only=on}": "setting everyone {TimeZone=UTC}",
		"setting everyone {TimeZone=UTC}":                                  "setting everyone {TimeZone=UTC}",
		"setting shop {default_transaction_read_only=on}":                  "setting shop {}",
		"table app.order {kim=arwdDxtm/kim}":                               "table app.order {kim=arwdDxt/kim}",
		"publication evac_home_1":                                          "",
	} {
		if got := expected(fact); got != want {
			t.Errorf("%q became %q, want %q", fact, got, want)
		}
	}
}
