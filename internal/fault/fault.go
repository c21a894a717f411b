// Package fault says what went wrong in the words of the person who must act
// on it, and maps every kind of error to the exit code promised to scripts.
//
// An error text is lower case, verb–object–cause, names quoted, the side
// named: copy table "public.orders": read source: connection reset. A hint is
// a separate line: a command to type or the one thing to change.
package fault

import (
	"context"
	"errors"
)

// Kind classes an error by what the caller can do about it. The zero Kind is
// Failed, so that an unclassified error is a failure.
type Kind uint8

// The kinds, each with the exit code that it ends the process with.
const (
	Failed      Kind = iota // 1: it was tried and did not work
	Different               // 3: verification found differences
	Invalid                 // 10: runbook, arguments or usage
	Busy                    // 11: another operator holds the run
	Denied                  // 12: access refused
	Held                    // 20: waiting for a person
	Interrupted             // 130: a person stopped it
)

var codes = [...]int{Failed: 1, Different: 3, Invalid: 10, Busy: 11, Denied: 12, Held: 20, Interrupted: 130}

var names = [...]string{Failed: "failed", Different: "different", Invalid: "invalid", Busy: "busy", Denied: "denied", Held: "held", Interrupted: "interrupted"}

// Code is the process exit code of the kind.
func (k Kind) Code() int { return codes[k] }

// String is the kind's name in JSON and in the journal.
func (k Kind) String() string { return names[k] }

// KindNamed is the inverse of String; an unknown name is Failed.
func KindNamed(name string) Kind {
	for k, n := range names {
		if n == name {
			return Kind(k)
		}
	}
	return Failed
}

// KindOfCode is the kind with an exit code; an unknown code is Failed.
func KindOfCode(code int) Kind {
	for k, c := range codes {
		if c == code {
			return Kind(k)
		}
	}
	return Failed
}

// Error carries a kind and a hint with the error that it wraps.
type Error struct {
	Kind Kind
	// Op is verb and object, `copy table "public.orders"`; may be empty.
	Op string
	// Hint is what to do, best a command to type; may be empty.
	Hint string
	// Err is the cause.
	Err error
}

// Error is "op: cause", without the hint.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Op
	case e.Op == "":
		return e.Err.Error()
	}
	return e.Op + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an error of a kind from a text and a hint (either may be empty).
func New(kind Kind, text, hint string) error {
	return &Error{Kind: kind, Op: text, Hint: hint}
}

// Wrap puts kind, operation and hint around err; nil stays nil.
func Wrap(kind Kind, op string, err error, hint string) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, Op: op, Err: err, Hint: hint}
}

// KindOf is the kind of the outermost classified error in the chain. A
// cancelled context without a classification counts as Interrupted.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	if errors.Is(err, context.Canceled) {
		return Interrupted
	}
	return Failed
}

// Code is the exit code of err; 0 for nil.
func Code(err error) int {
	if err == nil {
		return 0
	}
	return KindOf(err).Code()
}

// Hints collects the hints of the chain, outermost first, without repeats.
func Hints(err error) []string {
	var hints []string
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			break
		}
		if e.Hint != "" && (len(hints) == 0 || hints[len(hints)-1] != e.Hint) {
			hints = append(hints, e.Hint)
		}
		err = e.Err
	}
	return hints
}
