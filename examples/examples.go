// Package examples holds the runbooks that evac brings along.
package examples

import _ "embed" // the runbooks

// MovingDay is the runbook of `evac demo move`: a live PostgreSQL service
// moves to a newer major version.
//
//go:embed moving-day.hcl
var MovingDay []byte

// MovingDayFollow is the runbook of `evac demo move --follow`: the same with the
// new database following the old one, so that writes stop for seconds.
//
//go:embed moving-day-follow.hcl
var MovingDayFollow []byte

// Starter is what `evac init` writes: it works anywhere and asks nobody.
//
//go:embed starter.hcl
var Starter []byte
