package catalog

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// use is what an expression is for, which decides what PostgreSQL takes.
type use uint8

const (
	forDefault use = iota
	forCheck
	forIndex  // must be immutable: an index, a computed column that was not stored
	forStored // must give the very values that the stored rows have
)

// immutable are the functions of both databases that give the same for the same
// arguments. Keywords that look like functions are among them.
var immutable = words(`abs array_append array_cat array_length array_position array_prepend array_remove array_replace
	array_upper array_lower ascii btrim cast ceil ceiling char_length character_length chr coalesce exists floor
	greatest json_extract_path jsonb_array_length jsonb_extract_path jsonb_strip_nulls jsonb_typeof least left
	length lpad ltrim md5 mod nullif octet_length overlay position repeat replace reverse right row rpad rtrim sign
	split_part starts_with strpos substr substring translate trim trunc in and or not any some all array values between when then else is case distinct from`)

// varying are the functions of both databases whose results may differ a little:
// by the server's locale, in how they round, in the last digit.
var varying = words(`exp initcap ln lower pow power regexp_replace round sqrt upper width_bucket`)

// changing are the functions of both databases whose result depends on more
// than their arguments.
var changing = words(`now gen_random_uuid random clock_timestamp statement_timestamp transaction_timestamp timeofday
	date_trunc extract date_part age to_char to_timestamp make_date concat concat_ws format unique_rowid nextval
	current_setting`)

// withoutBrackets are the functions that PostgreSQL writes without brackets.
var withoutBrackets = words(`current_date current_timestamp current_time localtime localtimestamp current_user session_user
	current_role current_catalog current_schema`)

// portable turns an expression of CockroachDB's dialect into PostgreSQL's.
type portable struct {
	parser
	pg   *postgres
	t    *Table // whose columns it may name; may be nil
	use  use
	out  strings.Builder
	last string // the last cast, if it was to a type with fractions
	why  string // set ends it
}

// expr is an expression as PostgreSQL takes it; if it cannot be had, why says
// for what reason.
func (w *postgres) expr(t *Table, sql string, for_ use) (out, why string) {
	p := &portable{pg: w, t: t, use: for_}
	p.tokens = lex(w.namer.expr(sql))
	for p.at < len(p.tokens) && p.why == "" {
		p.one()
	}
	return p.out.String(), p.why
}

func (p *portable) refuse(format string, args ...any) { p.why = fmt.Sprintf(format, args...) }

// one takes one token, with what belongs to it.
func (p *portable) one() {
	t := p.tokens[p.at]
	p.at++
	switch t.kind {
	case space:
		p.out.WriteByte(' ')
	case word:
		p.word(t)
	case quoted:
		p.out.WriteString(ident(t.val))
	case text:
		p.text(t.val)
	case blob:
		p.out.WriteString(`'\x` + hex.EncodeToString([]byte(t.val)) + `'::bytea`)
	case placeholder:
		p.refuse("it has %s", t.raw)
	case operator:
		p.operator(t)
	default:
		p.out.WriteString(t.raw)
	}
}

func (p *portable) text(s string) {
	if strings.ContainsRune(s, 0) {
		p.refuse("it has a text with a zero byte")
		return
	}
	p.out.WriteString(literal(s))
}

// operator takes an operator.
func (p *portable) operator(t token) {
	switch t.raw {
	case "::", ":::":
		p.out.WriteString("::")
		p.cast(t.raw == "::")
	case "==":
		p.out.WriteByte('=')
	case "//":
		p.refuse("it divides by //")
	case "/":
		// Of two integers CockroachDB makes a decimal, PostgreSQL an integer.
		if !p.fractional() {
			p.refuse("it divides what may be integers or decimals")
			return
		}
		p.out.WriteByte('/')
	case "@", "$", "{", "}", "\\", "`", ";":
		p.refuse("it has %q", t.raw)
	default:
		p.out.WriteString(t.raw)
	}
}

// fractional says that what was written last was cast to a type with fractions.
func (p *portable) fractional() bool {
	return p.last != "" && strings.HasSuffix(strings.TrimRight(p.out.String(), " "), p.last)
}

// cast takes the type behind a cast, or behind a mark of what type a constant
// has.
func (p *portable) cast(converts bool) {
	t, err := p.typ()
	if err != nil {
		p.refuse("%v", err)
		return
	}
	name := p.pg.typeOfSQL(t)
	if name == "" {
		p.refuse("it names the type %s", strings.Join(t.User, "."))
		return
	}
	family := t.Type.Family
	if p.use >= forIndex && converts && !safeCast(family) {
		p.refuse("it casts to %s", name)
		return
	}
	p.last = ""
	if family == enc.FloatFamily || family == enc.DecimalFamily && p.use != forStored { // decimals get other digits
		p.last = "::" + name
	}
	p.out.WriteString(name)
}

// safeCast says that a cast to a type is immutable whatever it is from. Those to
// text and to times depend on settings.
func safeCast(f enc.Family) bool {
	return slices.Contains([]enc.Family{enc.BoolFamily, enc.IntFamily, enc.FloatFamily, enc.DecimalFamily, enc.UUIDFamily, enc.EnumFamily}, f)
}

// word takes a keyword, a function or a name.
func (p *portable) word(t token) {
	name := strings.ToLower(t.raw)
	start := p.at
	call := p.peek().is("(")
	p.at = start // the blanks before it are written as well
	switch {
	case p.t != nil && !call && p.t.named(name) != nil:
		p.out.WriteString(ident(name))
	case withoutBrackets[name]:
		if p.use >= forIndex {
			p.refuse("it calls %s", name)
			return
		}
		p.accept("(", ")")
		p.out.WriteString(name)
	case name == "as": // in an expression only CAST has it
		p.out.WriteString("AS ")
		p.cast(true)
	case name == "collate":
		p.refuse("it has a collation")
	case !call:
		p.out.WriteString(t.raw)
	default:
		p.function(name, t)
	}
}

// function takes the name of a function, of which both databases must have the
// same.
func (p *portable) function(name string, t token) {
	switch {
	case immutable[name], varying[name] && p.use != forStored:
		p.out.WriteString(t.raw)
	case p.use >= forIndex:
		p.refuse("it calls %s", name)
	case name == "nextval":
		p.nextval()
	case name == "unique_rowid":
		if !p.accept("(", ")") {
			p.refuse("it calls unique_rowid with arguments")
			return
		}
		p.pg.needRowid()
		p.out.WriteString("nextval('public.unique_rowid'::regclass)")
	case changing[name]:
		p.out.WriteString(t.raw)
	default:
		p.refuse("it calls %s, which PostgreSQL does not have", name)
	}
}

// nextval takes the brackets behind nextval: a sequence's name as text.
func (p *portable) nextval() {
	p.accept("(")
	arg := p.next()
	if arg.kind != text {
		p.refuse("it calls nextval of something that is no name")
		return
	}
	for p.accept(":::") || p.accept("::") {
		if _, err := p.typ(); err != nil {
			p.refuse("%v", err)
			return
		}
	}
	if !p.accept(")") {
		p.refuse("it calls nextval of something that is no name")
		return
	}
	name, ok := p.pg.sequenceNamed(arg.val, p.t)
	if !ok {
		p.refuse("the sequence %q is not there", arg.val)
		return
	}
	p.out.WriteString("nextval(" + literal(name) + "::regclass)")
}
