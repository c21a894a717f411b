// Package proof checks by plain SQL, and with nothing of what did the move,
// that a demo's databases hold what they must: every promised order, every
// row, every object.
package proof
