package crdb

import "embed"

// Tiny is the small cluster that the demo salvages, in testdata/tiny: the stores
// of three nodes, each an archive, killed while they wrote; and what the database
// itself served from these very files after a restart, a CSV file for each table
// (NULL is <<NULL>>).
//
//go:embed testdata/tiny
var Tiny embed.FS
