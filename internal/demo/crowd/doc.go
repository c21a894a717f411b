// Package crowd is the demo's customers: they order and look at products
// through the gateway all the time, and remember what they were promised and
// what they were refused. All figures are the clients' own.
package crowd
