package catalog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// parser walks the tokens of SQL text; blanks and comments lie between them
// unseen.
type parser struct {
	tokens []token
	at     int
}

// peek is the next token, a zero one at the end.
func (p *parser) peek() token {
	for p.at < len(p.tokens) && p.tokens[p.at].kind == space {
		p.at++
	}
	if p.at == len(p.tokens) {
		return token{}
	}
	return p.tokens[p.at]
}

// next takes the next token.
func (p *parser) next() token {
	t := p.peek()
	if p.at < len(p.tokens) {
		p.at++
	}
	return t
}

// end says that nothing more comes.
func (p *parser) end() bool { return p.peek() == token{} }

// accept takes the words or operators if they all come next.
func (p *parser) accept(list ...string) bool {
	start := p.at
	for _, s := range list {
		if !p.next().is(s) {
			p.at = start
			return false
		}
	}
	return true
}

// expect is accept which must.
func (p *parser) expect(list ...string) error {
	if p.accept(list...) {
		return nil
	}
	return fmt.Errorf("%q expected, %q found", strings.Join(list, " "), p.peek().raw)
}

// identifier takes a name.
func (p *parser) identifier() (string, error) {
	t := p.next()
	if name, ok := t.name(); ok {
		return name, nil
	}
	return "", fmt.Errorf("a name expected, %q found", t.raw)
}

// path takes a name of up to three parts with dots between them.
func (p *parser) path() ([]string, error) {
	var out []string
	for {
		name, err := p.identifier()
		if err != nil {
			return nil, err
		}
		if out = append(out, name); !p.accept(".") {
			return out, nil
		}
	}
}

// integer takes a whole number, with its sign.
func (p *parser) integer() (int64, error) {
	sign := ""
	if p.accept("-") {
		sign = "-"
	}
	t := p.next()
	v, err := strconv.ParseInt(sign+t.raw, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("a whole number expected, %q found", t.raw)
	}
	return v, nil
}

// sqlType is a type as SQL names it. One that no name here knows is the
// user-defined type of that path.
type sqlType struct {
	Type   enc.Type
	Mod    Modifiers
	User   []string
	Serial bool // an integer with unique_rowid() as its default
}

// typ takes the name of a type.
func (p *parser) typ() (sqlType, error) {
	var out sqlType
	first := p.peek()
	path, err := p.path()
	if err != nil {
		return out, err
	}
	known := false
	if len(path) == 1 && first.kind == word {
		out.Type, known = typeNames[path[0]]
		out.Serial = known && strings.Contains(path[0], "serial")
	}
	switch {
	case len(path) == 1 && first.kind == quoted && path[0] == "char":
		out.Type = enc.Type{Family: enc.StringFamily, OID: enc.OIDChar}
	case path[0] == "double" && first.kind == word && p.accept("precision"):
		out.Type = enc.Type{Family: enc.FloatFamily, Width: 64, OID: enc.OIDFloat8}
	case known:
		if err := p.typeRest(path[0], &out); err != nil {
			return out, err
		}
	default:
		out.User = path
	}
	return p.typeAround(out)
}

// typeRest takes what may stand behind the name of a type that is known.
func (p *parser) typeRest(name string, out *sqlType) error {
	t := &out.Type
	if t.Family == enc.StringFamily || t.Family == enc.BitFamily {
		if p.accept("varying") {
			t.Width = 0
			t.OID = map[uint32]uint32{enc.OIDBPChar: enc.OIDVarChar, enc.OIDBit: enc.OIDVarBit}[t.OID]
		}
	}
	if t.Family == enc.IntervalFamily {
		p.intervalFields(out)
	}
	if p.accept("(") {
		if err := p.typeModifiers(out); err != nil {
			return fmt.Errorf("type %q: %w", name, err)
		}
	}
	if p.accept("with", "time", "zone") {
		switch t.Family {
		case enc.TimestampFamily:
			t.Family, t.OID = enc.TimestampTZFamily, 1184
		case enc.TimeFamily:
			t.Family, t.OID = enc.TimeTZFamily, 1266
		}
	}
	p.accept("without", "time", "zone")
	return nil
}

// intervalFields takes YEAR, DAY TO SECOND and their like.
func (p *parser) intervalFields(out *sqlType) {
	for _, name := range [...]string{"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"} {
		if !p.accept(name) {
			continue
		}
		out.Mod.Interval = name
		if p.accept("to") {
			out.Mod.Interval += " TO " + strings.ToUpper(p.next().raw)
		}
		return
	}
}

// typeModifiers takes what stands between the brackets behind a type's name.
func (p *parser) typeModifiers(out *sqlType) error {
	t := &out.Type
	if t.Family == enc.GeometryFamily || t.Family == enc.GeographyFamily {
		out.Mod.Shape = strings.ToUpper(p.next().raw)
		if p.accept(",") {
			srid, err := p.integer()
			if err != nil {
				return err
			}
			out.Mod.SRID = int32(srid)
		}
		return p.expect(")")
	}
	n, err := p.integer()
	if err != nil {
		return err
	}
	switch t.Family {
	case enc.DecimalFamily:
		t.Precision = int32(n)
		if p.accept(",") {
			if n, err = p.integer(); err != nil {
				return err
			}
			t.Width = int32(n)
		}
	case enc.TimestampFamily, enc.TimestampTZFamily, enc.TimeFamily, enc.TimeTZFamily, enc.IntervalFamily:
		t.Precision, out.Mod.PrecisionSet = int32(n), true
	case enc.FloatFamily:
		if n <= 24 {
			*t = enc.Type{Family: enc.FloatFamily, Width: 32, OID: enc.OIDFloat4}
		}
	default:
		t.Width = int32(n)
	}
	return p.expect(")")
}

// typeAround takes brackets of an array and a collation behind a type.
func (p *parser) typeAround(out sqlType) (sqlType, error) {
	array := p.accept("[", "]") || p.accept("array")
	if p.accept("collate") {
		locale, err := p.identifier()
		if err != nil {
			return out, err
		}
		out.Type.Family, out.Type.Locale = enc.CollatedFamily, locale
		array = p.accept("[", "]") || array
	}
	if array {
		elem := out.Type
		out.Type = enc.Type{Family: enc.ArrayFamily, Elem: &elem}
	}
	return out, nil
}
