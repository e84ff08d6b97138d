package resource

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"
)

// Version is a content hash, or a hash of several versions.
type Version uint64

// FirstVersion is the lowest Version. Lower values are reserved: package delta uses them for the state of a name that has no version.
const FirstVersion Version = 16

// String returns the version on the wire.
func (v Version) String() string { return strconv.FormatUint(uint64(v), 16) }

// ParseVersion is the inverse of String. It returns false for a version that String never returns.
func ParseVersion(s string) (Version, bool) {
	v, err := strconv.ParseUint(s, 16, 64)
	return Version(v), err == nil && Version(v) >= FirstVersion
}

// CombineVersions returns a version that changes when either of two versions changes.
func CombineVersions(a, b Version) Version {
	var data [16]byte
	binary.BigEndian.PutUint64(data[:8], uint64(a))
	binary.BigEndian.PutUint64(data[8:], uint64(b))
	return hash(data[:])
}

// hash returns the first eight bytes of SHA-256, at least FirstVersion.
func hash(data []byte) Version {
	sum := sha256.Sum256(data)
	h := Version(binary.BigEndian.Uint64(sum[:]))
	if h < FirstVersion {
		h += FirstVersion
	}
	return h
}

// A listener with drain marks has a version of two parts: its hash, and the hash of the same listener without marks. Only
// replicas that observed the removal of a permission know the marks. Another replica has the listener without marks and must
// treat both as equal: pushing it would drain connections without need.

const drainMarkSeparator = "-"

func joinDrainMarkVersions(marked, unmarked Version) string {
	return marked.String() + drainMarkSeparator + unmarked.String()
}

// CutDrainMarkVersions splits the version of a listener with drain marks into its version and the version without marks. It
// returns false for any other version.
func CutDrainMarkVersions(wireVersion string) (marked, unmarked string, ok bool) {
	return strings.Cut(wireVersion, drainMarkSeparator)
}
