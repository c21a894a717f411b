package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// DSN is a database's connection string, URL ("postgres://user:pw@host/db")
// or keyword form ("host=… dbname=…"). It shows host, port, database and user
// and never more; Reveal gives the whole.
type DSN struct{ text string }

// NewDSN wraps a connection string; it is not parsed here beyond what String
// and Password need.
func NewDSN(text string) DSN { return DSN{text: text} }

// Reveal gives the whole connection string out, for connecting.
func (d DSN) Reveal() string { return d.text }

// Empty tells whether there is none.
func (d DSN) Empty() bool { return d.text == "" }

// Password is the password written in it, or "".
func (d DSN) Password() string {
	if u := d.url(); u != nil {
		if pw, ok := u.User.Password(); ok {
			return pw
		}
		if u.Host == unreadable {
			return roughPassword(d.text)
		}
	}
	return d.keyword("password")
}

// unreadable stands for the host of what cannot be read as a URL.
const unreadable = "unreadable-dsn"

// roughPassword is what stands where a password does: it must be hidden even
// if the rest is wrong.
func roughPassword(text string) string {
	_, rest, _ := strings.Cut(text, "//")
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return text
	}
	_, pw, _ := strings.Cut(rest[:at], ":")
	return pw
}

// keyword is the value of a parameter, "" if it is not among them.
func (d DSN) keyword(name string) string {
	if u := d.url(); u != nil {
		return u.Query().Get(name)
	}
	return keywords(d.text)[name]
}

// WithoutPassword is the connection string without its passwords, for another
// program's arguments; Password goes through that program's environment.
func (d DSN) WithoutPassword() string {
	u := d.url()
	if u == nil {
		return keywordText(keywords(d.text))
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	q := u.Query()
	for _, name := range passwordKeywords {
		q.Del(name)
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // libpq knows no + for a blank
	return u.String()
}

// Default is the connection string with a parameter that it says nothing of
// itself. The value is a plain word or number.
func (d DSN) Default(name, value string) DSN {
	switch {
	case d.keyword(name) != "":
		return d
	case d.url() == nil:
		return DSN{d.text + " " + name + "=" + value}
	case strings.Contains(d.text, "?"):
		return DSN{d.text + "&" + name + "=" + value}
	}
	return DSN{d.text + "?" + name + "=" + value}
}

// With is the connection string with a parameter set to any value, whatever it
// said of it before. One that cannot be read stays as it is.
func (d DSN) With(name, value string) DSN {
	u := d.url()
	switch {
	case u == nil: // of two, the last counts
		return DSN{d.text + " " + keywordText(map[string]string{name: value})}
	case u.Host == unreadable:
		return d
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // libpq knows no + for a blank
	return DSN{u.String()}
}

// passwordKeywords are the parameters of a connection string that are secret.
var passwordKeywords = []string{"password", "sslpassword"}

// keywordText writes the keyword form, without passwords.
func keywordText(kv map[string]string) string {
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(kv)) {
		if !slices.Contains(passwordKeywords, name) {
			parts = append(parts, name+"='"+escape.Replace(kv[name])+"'")
		}
	}
	return strings.Join(parts, " ")
}

// String is what may be seen: user@host:port/database.
func (d DSN) String() string {
	if d.text == "" {
		return ""
	}
	user, host, port, db := d.parts()
	var b strings.Builder
	if user != "" {
		b.WriteString(user + "@")
	}
	b.WriteString(host)
	if port != "" {
		b.WriteString(":" + port)
	}
	return b.String() + "/" + db
}

// GoString keeps %#v from showing more than String.
func (d DSN) GoString() string { return fmt.Sprintf("secret.DSN(%q)", d.String()) }

// Format shows String for every verb.
func (d DSN) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(d.String())) }

// MarshalJSON writes String.
func (d DSN) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// MarshalText writes String.
func (d DSN) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// LogValue shows String.
func (d DSN) LogValue() slog.Value { return slog.StringValue(d.String()) }

func (d DSN) url() *url.URL {
	if !strings.HasPrefix(d.text, "postgres://") && !strings.HasPrefix(d.text, "postgresql://") {
		return nil
	}
	u, err := url.Parse(d.text)
	if err != nil {
		// Unreadable as a URL: show nothing of it.
		return &url.URL{Host: unreadable}
	}
	return u
}

func (d DSN) parts() (user, host, port, db string) {
	if u := d.url(); u != nil {
		q := u.Query()
		user, host, port = u.User.Username(), u.Hostname(), u.Port()
		db = strings.TrimPrefix(u.Path, "/")
		return first(user, q.Get("user")), first(host, q.Get("host")), first(port, q.Get("port")), first(db, q.Get("dbname"))
	}
	kv := keywords(d.text)
	return kv["user"], first(kv["host"], "localhost"), kv["port"], kv["dbname"]
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// keywords reads libpq's keyword form: key = value pairs, a value with blanks
// in single quotes, backslash escapes (PostgreSQL docs, 34.1.1.1).
func keywords(text string) map[string]string {
	kv := map[string]string{}
	rest := strings.TrimSpace(text)
	for rest != "" {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			return kv
		}
		var value string
		value, rest = keywordValue(strings.TrimLeft(after, " \t\n"))
		kv[strings.TrimSpace(key)] = value
		rest = strings.TrimLeft(rest, " \t\n")
	}
	return kv
}

func keywordValue(text string) (value, rest string) {
	quoted := strings.HasPrefix(text, "'")
	i := 0
	if quoted {
		i = 1
	}
	var b strings.Builder
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case quoted && c == '\'':
			return b.String(), text[i+1:]
		case !quoted && (c == ' ' || c == '\t' || c == '\n'):
			return b.String(), text[i:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}
