package catalog

import (
	"strconv"
	"strings"
)

// namer writes names where the expressions of descriptors have ids: user-defined
// types as @100078, their members by the bytes that rows hold, sequences as
// 53:::REGCLASS, functions as [FUNCTION 106].
type namer struct {
	types     map[uint32]*UserType
	functions map[uint32]*Function
	catalog   *Catalog
	tenant    uint64
}

func (c *Catalog) namer(tenant uint64) *namer {
	n := &namer{types: map[uint32]*UserType{}, functions: map[uint32]*Function{}, catalog: c, tenant: tenant}
	for i := range c.Types {
		if u := &c.Types[i]; u.Tenant == tenant {
			n.types[u.ID] = u
		}
	}
	for i := range c.Functions {
		if f := &c.Functions[i]; f.Tenant == tenant {
			n.functions[f.ID] = f
		}
	}
	return n
}

// expr is the expression with names for its ids.
func (n *namer) expr(sql string) string {
	if !strings.ContainsAny(sql, "@") && !strings.Contains(sql, "REGCLASS") && !strings.Contains(sql, "FUNCTION") {
		return sql
	}
	p := &parser{tokens: lex(sql)}
	var out strings.Builder
	for p.at < len(p.tokens) {
		out.WriteString(n.one(p))
	}
	return out.String()
}

// one takes one token, or several that name something by its id.
func (n *namer) one(p *parser) string {
	t := p.tokens[p.at]
	p.at++
	start := p.at
	switch {
	case t.kind == placeholder:
		if name, ok := n.typeName(t.val); ok {
			return name
		}
	case t.kind == blob, t.kind == text:
		if cast := p.next(); cast.is(":::") || cast.is("::") {
			if label, ok := n.label(p.next(), t.val); ok {
				p.at = start
				return literal(label)
			}
		}
	case t.kind == number:
		if cast := p.next(); (cast.is(":::") || cast.is("::")) && p.next().is("REGCLASS") {
			if name, ok := n.tableName(t.raw); ok {
				p.at = start
				return literal(name)
			}
		}
	case t.is("["):
		if name, ok := n.functionName(p); ok {
			return name
		}
	}
	p.at = start
	return t.raw
}

// userType is the user-defined type with that OID.
func (n *namer) userType(oid string) (*UserType, bool) {
	id, err := strconv.ParseUint(oid, 10, 32)
	if err != nil || id <= firstUserOID {
		return nil, false
	}
	u, ok := n.types[uint32(id)-firstUserOID]
	return u, ok
}

// typeName is the name of the type with that OID. The type of arrays of a type
// is called by an underscore and the type's name.
func (n *namer) typeName(oid string) (string, bool) {
	u, ok := n.userType(oid)
	if !ok {
		return "", false
	}
	if u.Kind == AliasKind {
		for _, of := range n.types {
			if of.ArrayID == u.ID {
				return qualified(of.Schema, of.Name) + "[]", true
			}
		}
	}
	return qualified(u.Schema, u.Name), true
}

// label is the label of the member that rows hold as physical, if the type that
// the placeholder names is an enum.
func (n *namer) label(t token, physical string) (string, bool) {
	if t.kind != placeholder {
		return "", false
	}
	u, ok := n.userType(t.val)
	if !ok {
		return "", false
	}
	return u.Members.Label([]byte(physical))
}

func (n *namer) tableName(id string) (string, bool) {
	v, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return "", false
	}
	t := n.catalog.Table(n.tenant, uint32(v))
	if t == nil {
		return "", false
	}
	return qualified(t.Schema, t.Name), true
}

// functionName takes FUNCTION, an id and the closing bracket.
func (n *namer) functionName(p *parser) (string, bool) {
	if !p.accept("FUNCTION") {
		return "", false
	}
	id, err := strconv.ParseUint(p.next().raw, 10, 32)
	if err != nil || !p.accept("]") {
		return "", false
	}
	f, ok := n.functions[uint32(id)]
	if !ok {
		if f, ok = n.functions[uint32(id)-firstUserOID]; !ok || id <= firstUserOID {
			return "", false
		}
	}
	return qualified(f.Schema, f.Name), true
}
