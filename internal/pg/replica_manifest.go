package pg

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// backupManifest is what a server says it has sent (PostgreSQL docs, Backup
// Manifest Format). The files of the write-ahead log are not in it.
type backupManifest struct {
	Files []struct {
		Path    string
		Encoded string `json:"Encoded-Path"` // in hex, if it is not UTF-8
		Size    int64
		Sum     string `json:"Checksum"`
	}
	Own string `json:"Manifest-Checksum"`
}

// manifestEnd begins the manifest's last line, which its own checksum (SHA-256)
// leaves out.
const manifestEnd = `"Manifest-Checksum"`

// namedFiles bounds how many files an error names.
const namedFiles = 5

// checkManifest compares what came with what the server says it sent.
func checkManifest(text []byte, came map[string]fileSum) (checked int64, err error) {
	var m backupManifest
	if err := json.Unmarshal(text, &m); err != nil {
		return 0, fmt.Errorf("read the backup's manifest: %w", err)
	}
	body := text[:max(0, bytes.LastIndex(text, []byte(manifestEnd)))]
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != m.Own {
		return 0, errors.New("read the backup's manifest: its checksum is wrong")
	}
	var wrong []string
	listed := map[string]bool{}
	for _, f := range m.Files {
		path := f.Path
		if f.Encoded != "" {
			raw, err := hex.DecodeString(f.Encoded)
			if err != nil {
				return 0, fmt.Errorf("read the backup's manifest: %w", err)
			}
			path = string(raw)
		}
		listed[path] = true
		if got, ok := came[path]; !ok || got != (fileSum{f.Size, f.Sum}) {
			wrong = append(wrong, path)
		}
	}
	for path := range came {
		if !listed[path] && !strings.HasPrefix(path, "pg_wal/") {
			wrong = append(wrong, path)
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return 0, fmt.Errorf("compare the backup with its manifest: %d files are missing or differ: %s", len(wrong), strings.Join(wrong[:min(len(wrong), namedFiles)], ", "))
	}
	return int64(len(m.Files)), nil
}
