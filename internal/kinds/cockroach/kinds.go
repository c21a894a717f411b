package cockroach

import (
	"fmt"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/step"
)

// Kinds lists the kinds of the family.
func Kinds() []step.Kind { return []step.Kind{surveyKind(), salvageKind(), loadKind()} }

// leastMemory is what every salvage may take: less would only make it slow.
const leastMemory = 64 << 20

// enough is a budget of memory that one can work with; 0 is the default.
func enough(size step.Size) (int64, error) {
	if size > 0 && size < leastMemory {
		return 0, fault.New(fault.Invalid, fmt.Sprintf("--memory of %d bytes is too little", size), "give it 64MiB or more; a size needs its unit, as in 2GiB")
	}
	return int64(size), nil
}
