package secret

import "testing"

func TestWithoutPassword(t *testing.T) {
	for _, c := range []struct{ dsn, want string }{
		{"postgres://u:p%40w@h:5432/d?sslmode=disable", "postgres://u@h:5432/d?sslmode=disable"},
		{"postgresql://u@h/d", "postgresql://u@h/d"},
		{"postgres://h/d?password=pw&options=-c%20a%3Db", "postgres://h/d?options=-c%20a%3Db"},
		{"host=h password='p w' user=u", "host='h' user='u'"},
		{`host=/tmp dbname='it\'s' sslpassword=x password=pw`, `dbname='it\'s' host='/tmp'`},
		{"", ""},
	} {
		if got := NewDSN(c.dsn).WithoutPassword(); got != c.want {
			t.Errorf("%q without its password is %q, want %q", c.dsn, got, c.want)
		}
	}
}

func TestDefault(t *testing.T) {
	for _, c := range []struct{ dsn, want string }{
		{"postgres://u:pw@h:5432/d?sslmode=disable", "postgres://u:pw@h:5432/d?sslmode=disable&a=1"},
		{"postgresql://u@h/d", "postgresql://u@h/d?a=1"},
		{"postgres://h/d?a=2", "postgres://h/d?a=2"},
		{"host=h password='p w'", "host=h password='p w' a=1"},
		{"host=h a=2", "host=h a=2"},
	} {
		if got := NewDSN(c.dsn).Default("a", "1").Reveal(); got != c.want {
			t.Errorf("%q with a=1 is %q, want %q", c.dsn, got, c.want)
		}
	}
}
