package pg

import "testing"

func TestWordedFor(t *testing.T) {
	for _, c := range []struct {
		entry
		version int
		want    string
	}{
		{entry{Type: "TABLE", SQL: "SET default_table_access_method = heap;\nCREATE TABLE t (\n    a integer DEFAULT 1\n);"}, 9_05_00, "CREATE TABLE t (\n    a integer DEFAULT 1\n);"},
		{entry{Type: "TABLE", SQL: "SET default_table_access_method = heap;\nCREATE TABLE t ();"}, 12_00_00, "SET default_table_access_method = heap;\nCREATE TABLE t ();"},
		{entry{Type: "TABLE", SQL: "SET default_table_access_method = other;\nCREATE TABLE t ();"}, 11_00_00, "SET default_table_access_method = other;\nCREATE TABLE t ();"},
		{entry{Type: "TABLE", SQL: "CREATE TABLE t OF u (\n    a DEFAULT 1,\n    \"b c\" NOT NULL\n);"}, 9_06_00, "CREATE TABLE t OF u (\n    a WITH OPTIONS DEFAULT 1,\n    \"b c\" WITH OPTIONS NOT NULL\n);"},
		{entry{Type: "EVENT TRIGGER", SQL: "CREATE EVENT TRIGGER e ON sql_drop\n   EXECUTE FUNCTION f();"}, 10_00_00, "CREATE EVENT TRIGGER e ON sql_drop\n   EXECUTE PROCEDURE f();"},
		{entry{Type: "EVENT TRIGGER", SQL: "CREATE EVENT TRIGGER e ON sql_drop\n   EXECUTE FUNCTION f();"}, 11_00_00, "CREATE EVENT TRIGGER e ON sql_drop\n   EXECUTE FUNCTION f();"},
		{entry{Type: "OPERATOR", SQL: "CREATE OPERATOR + (\n    FUNCTION = f,\n    LEFTARG = t\n);"}, 10_00_00, "CREATE OPERATOR + (\n    PROCEDURE = f,\n    LEFTARG = t\n);"},
		{entry{Type: "COLLATION", SQL: "CREATE COLLATION c (provider = libc, locale = 'C');"}, 9_05_00, "CREATE COLLATION c (locale = 'C');"},
	} {
		if got := c.wordedFor(c.version); got != c.want {
			t.Errorf("for %s:\n%s\nwant\n%s", versionName(c.version), got, c.want)
		}
	}
}
