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
