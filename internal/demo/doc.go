// Package demo shows evac at work on this machine: it makes a world of real
// servers under live orders (package world), lets a conductor run the moving
// day in it, and says what the customers noticed.
package demo
