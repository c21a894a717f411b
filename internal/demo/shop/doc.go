// Package shop is the demo's sample web shop: a database with every kind of
// object that movers lose, and the small HTTP server in front of it that takes
// orders.
package shop
