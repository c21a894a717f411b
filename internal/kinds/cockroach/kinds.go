package cockroach

import "github.com/evac-io/evac/internal/step"

// Kinds lists the kinds of the family.
func Kinds() []step.Kind { return []step.Kind{surveyKind(), salvageKind(), loadKind()} }
