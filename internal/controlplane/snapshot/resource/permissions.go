package resource

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

// The version of the permissions of a filter chain has their hash and a list of the principals, "<hash>=<principals>". Envoy evaluates
// them when a connection is opened. A replica that did not observe the removal of a principal, because it was not running, finds it
// by comparing the lists, and drains the connections. Control planes before v0.4 send the hash alone.

const permissionsSeparator = "="

// principalKey is the beginning of the hash of a principal's name.
type principalKey [6]byte

// permissionsVersion returns the version of permissions. It has no list if that would be too long.
func permissionsVersion(hash Version, principals []string) string {
	if len(principals)*len(principalKey{}) > maxListSize {
		return hash.String()
	}
	keys := make([]principalKey, 0, len(principals))
	for _, principal := range principals {
		keys = append(keys, keyOfPrincipal(principal))
	}
	slices.SortFunc(keys, func(a, b principalKey) int { return slices.Compare(a[:], b[:]) })
	var list []byte
	for _, key := range keys {
		list = append(list, key[:]...)
	}
	return hash.String() + permissionsSeparator + base64.RawStdEncoding.EncodeToString(list)
}

// LosesPrincipal reports whether a principal that a version of permissions allows is missing in the current version. It is true if
// that is unknown because a version has no list: a connection must not outlive its permission.
func LosesPrincipal(held, current string) bool {
	if held == current {
		return false
	}
	before, known := parsePrincipals(held)
	after, alsoKnown := parsePrincipals(current)
	if !known || !alsoKnown {
		return PermissionsHash(held) != PermissionsHash(current)
	}
	if slices.Contains(after, keyOfPrincipal(envoy.EveryPrincipal)) {
		return false
	}
	return slices.ContainsFunc(before, func(key principalKey) bool { return !slices.Contains(after, key) })
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
