// Package kinds is the list of all that a step can be.
package kinds

import (
	"slices"

	"github.com/evac-io/evac/internal/kinds/announce"
	"github.com/evac-io/evac/internal/kinds/cockroach"
	"github.com/evac-io/evac/internal/kinds/gateway"
	"github.com/evac-io/evac/internal/kinds/page"
	"github.com/evac-io/evac/internal/kinds/postgres"
	"github.com/evac-io/evac/internal/kinds/probe"
	"github.com/evac-io/evac/internal/kinds/shell"
	"github.com/evac-io/evac/internal/kinds/wait"
	"github.com/evac-io/evac/internal/step"
)

// All lists the kinds, family by family.
func All() []step.Kind {
	return slices.Concat(
		shell.Kinds(),
		wait.Kinds(),
		announce.Kinds(),
		probe.Kinds(),
		page.Kinds(),
		gateway.Kinds(),
		postgres.Kinds(),
		cockroach.Kinds(),
	)
}

// Registry describes them all.
func Registry() (*step.Registry, error) { return step.NewRegistry(All()...) }
