package snapshot

import "strings"

// A listener whose chains have drain marks has a version of two parts: its own hash, and that of the same listener without
// marks. The marks are known only to the replicas that saw a permission being taken away. Another replica has the listener
// without marks, and takes a sidecar that holds it with marks to hold the same: to send it would drain connections for
// nothing.

const markSeparator = "-"

// markedVersion is the version of a listener with drain marks.
func markedVersion(full, plain uint64) string {
	return formatVersion(full) + markSeparator + formatVersion(plain)
}

// cutMarks is the inverse of markedVersion; other versions have no marks.
func cutMarks(version string) (full, plain uint64, marked bool) {
	a, b, marked := strings.Cut(version, markSeparator)
	return parseVersion(a), parseVersion(b), marked
}
