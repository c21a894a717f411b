//go:build !torture

package journal

// killpoint does nothing; the build tag torture makes it deadly.
type killpoint struct{}

func (killpoint) before() {}
func (killpoint) after()  {}
