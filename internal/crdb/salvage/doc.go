// Package salvage takes every row out of the raw stores of a dead CockroachDB
// cluster and proves that it has them all.
//
// Open surveys the stores and reads the schema. Plan cuts the key space of the
// tables into tasks which do not depend on how many workers there are; each task
// writes one file or counts one stretch of an index, and may be done again, also
// twice at once. Merge adds up what they found, counts the indexes against the
// rows, and settles the verdict. A Job is the same as plain JSON, for any engine;
// Run does it in this process.
package salvage
