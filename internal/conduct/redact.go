package conduct

import (
	"errors"
	"strings"

	"github.com/evac-io/evac/internal/fault"
)

// redacted is an error without the program's secrets, with the kind and the
// hints of the one that it replaces. An error that holds none stays itself.
func (p *Program) redacted(err error) error {
	if err == nil {
		return nil
	}
	hint := strings.Join(fault.Hints(err), "; ")
	clean, cleanHint := p.Secrets.Text(err.Error()), p.Secrets.Text(hint)
	if clean == err.Error() && cleanHint == hint {
		return err
	}
	return fault.Wrap(fault.KindOf(err), "", errors.New(clean), cleanHint)
}
