package postgres

import "github.com/evac-io/evac/internal/step"

// Kinds lists the kinds of the family.
func Kinds() []step.Kind {
	return []step.Kind{
		freezeKind(),
		copyKind(),
		verifyKind(),
		warmKind(),
		replicaKind(),
		promoteKind(),
		followKind(),
		switchKind(),
		settleKind(),
	}
}
