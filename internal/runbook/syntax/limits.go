package syntax

import (
	"regexp"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// What a file may hold. The HCL parser and evaluator are recursive and in
// some places quadratic; inside these limits they end soon and in little
// memory, whatever the file says.
const (
	// MaxBytes is the size of a file.
	MaxBytes = 16 << 20
	// MaxNesting is how deep blocks, brackets and templates may nest.
	MaxNesting = 100
	// maxWords bounds the number of tokens, which take 96 bytes each.
	maxWords = 1_500_000
	// maxChain bounds the operators in one expression at one bracket level:
	// each makes the syntax tree one deeper.
	maxChain = 200
	// maxPieces bounds the lines of one heredoc, which the parser joins in
	// quadratic time.
	maxPieces = 2_000
	// maxExpression bounds the bytes of one expression.
	maxExpression = 256 << 10
)

// plainNumber is a number that no arithmetic blows up.
var plainNumber = regexp.MustCompile(`^[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9])?$`)

// dense tells whether a text may have too many tokens, before anything is
// allocated for them.
func dense(text []byte) bool {
	words, inWord := 0, false
	for _, c := range string(text) {
		letter := c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c)
		if (!letter && c != ' ' && c != '\t') || (letter && !inWord) {
			words++
		}
		inWord = letter
	}
	return words > maxWords
}

// guard walks over tokens and refuses what the parser must not see.
type guard struct {
	frames []frame
	found  []*diag.Diagnostic
}

// frame is what is open: a bracket, a quote, a template sequence.
type frame struct {
	open   hclsyntax.Token
	chain  int // operators since the last separator
	pieces int // pieces of literal text
	// controls are the %{if} not yet closed by a %{endif}.
	controls int
}

// checkTokens gives the reasons why tokens must not be parsed, if any.
func checkTokens(tokens hclsyntax.Tokens) []*diag.Diagnostic {
	g := guard{frames: []frame{{}}}
	for i, tok := range tokens {
		if !g.token(tok, tokens[i+1:]) {
			break
		}
	}
	return g.found
}

func (g *guard) refuse(rng hcl.Range, hint, format string, args ...any) bool {
	g.found = append(g.found, diag.At(rng, format, args...).Hint("%s", hint))
	return len(g.found) < 20
}

// token takes one token in and tells whether to go on.
func (g *guard) token(tok hclsyntax.Token, rest hclsyntax.Tokens) bool {
	top := &g.frames[len(g.frames)-1]
	switch tok.Type {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
		hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		return g.push(tok, rest)
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
		hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		if len(g.frames) > 1 {
			g.frames = g.frames[:len(g.frames)-1]
		}
	case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit:
		if top.pieces++; top.pieces == maxPieces {
			g.refuse(top.open.Range, "put it into a file and let the step name the file", "text has more than %d lines or pieces", maxPieces)
			return false
		}
	case hclsyntax.TokenComma, hclsyntax.TokenNewline, hclsyntax.TokenEqual:
		if !inParens(top.open.Type) || tok.Type == hclsyntax.TokenComma {
			top.chain = 0
		}
	case hclsyntax.TokenNumberLit:
		if !plainNumber.Match(tok.Bytes) {
			return g.refuse(tok.Range, "write it as digits, at most 18 on each side of the point", "number is too long or too large")
		}
	case hclsyntax.TokenDoubleColon:
		g.refuse(tok.Range, "functions have plain names, like lower(…)", "\"::\" means nothing in a runbook")
		return false
	default:
		return g.operator(tok)
	}
	return true
}

func (g *guard) push(tok hclsyntax.Token, rest hclsyntax.Tokens) bool {
	top := &g.frames[len(g.frames)-1]
	if tok.Type == hclsyntax.TokenOBrack || tok.Type == hclsyntax.TokenOParen {
		top.chain++ // an index on an index, a call in a call
	}
	if tok.Type == hclsyntax.TokenTemplateControl && len(rest) > 0 {
		switch string(rest[0].Bytes) {
		case "if", "for":
			top.controls++
		case "endif", "endfor":
			top.controls--
		}
	}
	g.frames = append(g.frames, frame{open: tok})
	if len(g.frames)-1+top.controls > MaxNesting {
		g.refuse(tok.Range, "split it: name inner parts in locals", "nesting is deeper than %d", MaxNesting)
		return false
	}
	return g.chained(tok)
}

func (g *guard) operator(tok hclsyntax.Token) bool {
	switch tok.Type {
	case hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent,
		hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenBang, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual,
		hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq,
		hclsyntax.TokenQuestion, hclsyntax.TokenColon, hclsyntax.TokenDot:
		g.frames[len(g.frames)-1].chain++
		return g.chained(tok)
	}
	return true
}

func (g *guard) chained(tok hclsyntax.Token) bool {
	for i := len(g.frames) - 1; i >= max(0, len(g.frames)-2); i-- {
		if g.frames[i].chain > maxChain {
			g.refuse(tok.Range, "name parts of it in locals", "expression has more than %d operators in a row", maxChain)
			return false
		}
	}
	return true
}

// inParens tells whether newlines are ignored inside the bracket.
func inParens(open hclsyntax.TokenType) bool {
	switch open {
	case hclsyntax.TokenOParen, hclsyntax.TokenOBrack, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		return true
	}
	return false
}
