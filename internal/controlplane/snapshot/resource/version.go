package resource

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Version is a content hash, or a hash of several versions. It has 128 bits, because versions are compared and contents are not: with 64 bits
// the author of a policy could find two contents of equal version in minutes, and a change from one to the other would not be sent.
type Version struct{ high, low uint64 }

// versionSize is the number of bytes of a Version.
const versionSize = 16

// reservedVersions is the number of versions that no content has.
const reservedVersions = 16

// Reserved returns one of the versions that no content has, 0 to 15. Package delta uses them for the state of a name that has no version.
func Reserved(n uint64) Version { return Version{low: n % reservedVersions} }

// IsReserved reports whether no content has the version.
func (v Version) IsReserved() bool { return v.high == 0 && v.low < reservedVersions }

// Xor combines versions so that their order does not matter.
func (v Version) Xor(other Version) Version { return Version{v.high ^ other.high, v.low ^ other.low} }

// String returns the version on the wire.
func (v Version) String() string { return hex.EncodeToString(v.append(nil)) }

func (v Version) append(data []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(data, v.high), v.low)
}

// ParseVersion is the inverse of String. It returns false for a version that String never returns for a content.
func ParseVersion(s string) (Version, bool) {
	data, err := hex.DecodeString(s)
	if err != nil || len(data) != versionSize {
		return Version{}, false
	}
	v := versionOf(data)
	return v, !v.IsReserved()
}

// versionOf returns the version in the first bytes of data.
func versionOf(data []byte) Version {
	return Version{binary.BigEndian.Uint64(data), binary.BigEndian.Uint64(data[versionSize/2:])}
}

// CombineVersions returns a version that changes when either of two versions changes.
func CombineVersions(a, b Version) Version {
	return hash(b.append(a.append(make([]byte, 0, 2*versionSize))))
}

// hash returns the first half of SHA-256, without the reserved versions.
func hash(data []byte) Version {
	sum := sha256.Sum256(data)
	v := versionOf(sum[:])
	if v.IsReserved() {
		v.low += reservedVersions
	}
	return v
}
