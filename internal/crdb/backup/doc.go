// Package backup reads the folders that CockroachDB's BACKUP writes, of version
// 1.0 and later, without any server: the manifest, the layers of incremental
// backups and the exported tables become one engine.View at a chosen moment,
// and the descriptors of that moment.
//
// The forms that are read: BACKUP (up to 20.1), BACKUP_MANIFEST (from 20.2,
// gzipped), BACKUP_METADATA with its filelist.sst and descriptorslist.sst (from
// 23.1), tables with elided key prefixes (from 24.1), backups partitioned by
// locality, and collections with their incremental backups. Encrypted backups
// and unfinished ones are refused by name. A table that is missing or broken is
// damage of the view, not an error.
package backup
