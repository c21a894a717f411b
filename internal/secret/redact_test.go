package secret_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/secret"
)

const nasty = `pä$$ w"o\rd'@/?&=+<%20`

// TestRedactForms: a secret is found in whatever way others write it.
func TestRedactForms(t *testing.T) {
	var r secret.Redactor
	r.Add(nasty)
	inJSON, err := json.Marshal(nasty)
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]string{
		"plain":         nasty,
		"query":         url.QueryEscape(nasty),
		"path":          url.PathEscape(nasty),
		"user part":     url.UserPassword("u", nasty).String(),
		"base64":        base64.StdEncoding.EncodeToString([]byte(nasty)),
		"base64 bare":   base64.RawStdEncoding.EncodeToString([]byte(nasty)),
		"base64 in URL": base64.URLEncoding.EncodeToString([]byte(nasty)),
		"JSON":          string(inJSON),
		"Go":            fmt.Sprintf("%q", nasty),
		"hex":           fmt.Sprintf("%x", nasty),
		"SQL":           strings.ReplaceAll(nasty, `'`, `''`),
		"shell":         strings.ReplaceAll(nasty, `'`, `'\''`),
		"twice":         nasty + nasty,
	} {
		got := r.Text("before " + form + " after")
		if !strings.Contains(got, secret.Redacted) || strings.Contains(got, "w\"o") || strings.Contains(got, "rd") {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := r.Text("nothing to hide"); got != "nothing to hide" {
		t.Error(got)
	}
}

// TestRedactLines: one line of a private key is a secret too.
func TestRedactLines(t *testing.T) {
	var r secret.Redactor
	r.Add("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nshort\n-----END KEY-----\n")
	if got := r.Text("read line MIIEvQIBADANBgkqhkiG: short"); got != "read line [redacted]: short" {
		t.Error(got)
	}
}

// TestRedactDSN: the passwords of a connection string and the whole of it.
func TestRedactDSN(t *testing.T) {
	for _, text := range []string{
		"postgres://shop:" + url.QueryEscape("p@ss:word") + "@db/shop?sslpassword=keypass",
		"host=db user=shop password='p@ss:word' sslpassword=keypass dbname=shop",
	} {
		d := secret.NewDSN(text)
		var r secret.Redactor
		r.AddDSN(d)
		basic := base64.StdEncoding.EncodeToString([]byte("shop:p@ss:word"))
		got := r.Text("connect " + text + ": p@ss:word, p%40ss%3Aword, keypass, Basic " + basic)
		for _, leak := range []string{"p@ss", "p%40ss", "keypass", basic} {
			if strings.Contains(got, leak) {
				t.Errorf("%s: %q in %s", d, leak, got)
			}
		}
		if r.Text("shop at db") != "shop at db" {
			t.Errorf("%s: what is no secret is hidden: %s", d, r.Text("shop at db"))
		}
	}
	broken := secret.NewDSN("postgres://shop:p%zzword@db/shop")
	var b secret.Redactor
	b.AddDSN(broken)
	if got := b.Text("parse " + broken.Reveal() + ": invalid escape in p%zzword"); strings.Contains(got, "word") || strings.Contains(broken.String(), "word") {
		t.Error(got, broken)
	}
	var r secret.Redactor
	r.AddDSN(secret.NewDSN("postgres://shop@db/shop"))
	if got := r.Text("shop@db"); got != "shop@db" {
		t.Error(got)
	}
}
