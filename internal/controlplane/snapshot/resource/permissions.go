package resource

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// The version of the permissions of a TCP port has their hash, a list of the principals, and the drain mark with which they were sent:
// "<hash>=<principals>;<mark>". Envoy evaluates permissions when a connection is opened. A replica finds by the list whether a principal was
// removed that the client still allows, and by the mark whether the client did not get the listener that drains its connections. Control
// planes before v0.4 send the hash alone.
const (
	permissionsSeparator = "="
	markSeparator        = ";"
)

// principalKey is the beginning of the hash of a principal's name.
type principalKey [6]byte

// permissionsVersion returns the version of permissions. It has no list if that would be too long.
func permissionsVersion(hash Version, principals []string) string {
	if len(principals)*len(principalKey{}) > maxListSize {
		return hash.String()
	}
	keys := lists.Map(principals, keyOfPrincipal)
	slices.SortFunc(keys, func(a, b principalKey) int { return slices.Compare(a[:], b[:]) })
	var list []byte
	for _, key := range keys {
		list = append(list, key[:]...)
	}
	return hash.String() + permissionsSeparator + base64.RawStdEncoding.EncodeToString(list)
}

// WithMark returns permissions whose version has the drain mark of the filter chain at one client; empty for none.
func (c *Content) WithMark(mark string) *Content {
	if mark == "" {
		return c
	}
	version := Versioned{Content: c, Version: c.hash}.WireVersion() + markSeparator + mark
	return &Content{kind: c.kind, name: c.name, hash: c.hash, encoded: c.encoded, wireVersion: version}
}

// CutMark divides the version of permissions into what describes them and the drain mark; empty for none. It drops what no control plane has sent.
func CutMark(version string) (permissions, mark string) {
	permissions, mark, _ = strings.Cut(version, markSeparator)
	if data, err := hex.DecodeString(mark); err != nil || len(data) != markSize {
		mark = ""
	}
	return permissions, mark
}

// LosesPrincipal reports whether a principal that a version of permissions allows is missing in the current version. It is true if
// that is unknown because a version has no list: a connection must not outlive its permission. Neither version has a drain mark.
func LosesPrincipal(held, current string) bool {
	if held == current {
		return false
	}
	before, known := parsePrincipals(held)
	after, alsoKnown := parsePrincipals(current)
	if !known || !alsoKnown {
		return PermissionsHash(held) != PermissionsHash(current)
	}
	return envoy.LosesPrincipal(before, after, keyOfPrincipal(envoy.EveryPrincipal))
}

func keyOfPrincipal(name string) principalKey {
	sum := sha256.Sum256([]byte(name))
	return principalKey(sum[:len(principalKey{})])
}

func parsePrincipals(version string) ([]principalKey, bool) {
	_, list, found := strings.Cut(version, permissionsSeparator)
	data, err := base64.RawStdEncoding.DecodeString(list)
	if !found || err != nil || len(data)%len(principalKey{}) != 0 {
		return nil, false
	}
	var keys []principalKey
	for record := range slices.Chunk(data, len(principalKey{})) {
		keys = append(keys, principalKey(record))
	}
	return keys, true
}

// PermissionsHash returns the hash in a version of permissions, and any other version unchanged.
func PermissionsHash(version string) string {
	hash, _, _ := strings.Cut(version, permissionsSeparator)
	return hash
}
