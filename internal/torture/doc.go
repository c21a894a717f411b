// Package torture holds the tests that kill evac, hundreds of times, and look
// whether anything was lost or done twice. The short form is part of every
// test run; -full is `make torture`.
package torture
