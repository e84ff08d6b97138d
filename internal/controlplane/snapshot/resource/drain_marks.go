package resource

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// DrainMarks are the drain marks of the filter chains of a listener. A chain without a mark has no element.
//
// Only replicas that observed the removal of a permission know its mark. Another one has the listener without it. So that a sidecar
// that reconnects keeps its connections, its marks are part of the listener's version: the hash, the marks, and the hash of the same
// listener without marks, as "<hash>:<marks>-<unmarked hash>".
type DrainMarks map[chainKey]string

// chainKey is the beginning of the hash of a filter chain's name. Of two chains with equal keys, one may get the mark of the other,
// which drains its connections without need.
type chainKey [4]byte

// Separators of the version of a listener with drain marks. Control planes before v0.4 sent no marks, and read only what follows
// the second one.
const (
	marksSeparator    = ":"
	unmarkedSeparator = "-"
)

const (
	// markSize is the number of bytes of a mark, which is written as hexadecimal digits.
	markSize = 8
	// maxListSize is how many bytes a list in a version has at most. Base64 makes it a third longer, and a version with it stays below the
	// limit of the requests that return it.
	maxListSize = 480
)

func keyOf(chain string) chainKey {
	sum := sha256.Sum256([]byte(chain))
	return chainKey(sum[:len(chainKey{})])
}

// drainMarksOf returns the marks of a listener; nil if it has none.
func drainMarksOf(r envoy.Resource) DrainMarks {
	var marks DrainMarks
	for chain, mark := range envoy.DrainMarks(r) {
		if marks == nil {
			marks = DrainMarks{}
		}
		marks[keyOf(chain)] = mark
	}
	return marks
}

// Differ returns the marks with one for a filter chain that is not that in held.
func (m DrainMarks) Differ(held DrainMarks, chain string) DrainMarks {
	mark := held.OfChain(chain)
	if m.OfChain(chain) != mark {
		return m
	}
	differing := maps.Clone(m)
	if differing == nil {
		differing = DrainMarks{}
	}
	differing[keyOf(chain)] = nextMark(mark)
	return differing
}

// nextMark returns the mark that follows another one, in all replicas.
func nextMark(mark string) string {
	sum := sha256.Sum256([]byte(mark))
	return hex.EncodeToString(sum[:markSize])
}

// OfChain returns the mark of a filter chain; empty for none.
func (m DrainMarks) OfChain(name string) string { return m[keyOf(name)] }

// Carry returns the marks that a listener needs so that a client drains exactly the chains that lost a permission. The client has the
// marks m, which it got in place of those in earlier; current are those of the snapshot. A chain whose mark in the snapshot did not change,
// or which has none there, keeps the client's mark. Any other gets a mark that the client does not have: a replica that started anew can
// set one that another replica set before it.
func (m DrainMarks) Carry(earlier, current DrainMarks) DrainMarks {
	carried := maps.Clone(current)
	for key, mark := range m {
		switch now := current[key]; {
		case now == "" && carried == nil:
			carried = DrainMarks{key: mark}
		case now == "" || now == earlier[key]:
			carried[key] = mark
		case now == mark:
			carried[key] = nextMark(mark)
		}
	}
	return carried
}

// Common returns the marks that both have.
func (m DrainMarks) Common(other DrainMarks) DrainMarks {
	common := maps.Clone(m)
	maps.DeleteFunc(common, func(key chainKey, mark string) bool { return other[key] != mark })
	return common
}

// Equal reports whether both have the same marks.
func (m DrainMarks) Equal(other DrainMarks) bool { return maps.Equal(m, other) }

// encode returns the marks in a version. Those that exceed maxListSize are left out: a client drains their chains once more than needed.
func (m DrainMarks) encode() string {
	var data []byte
	for _, key := range slices.SortedFunc(maps.Keys(m), func(a, b chainKey) int { return slices.Compare(a[:], b[:]) }) {
		mark, err := hex.DecodeString(m[key])
		if err != nil || len(mark) != markSize || len(data)+len(key)+markSize > maxListSize {
			continue
		}
		data = append(append(data, key[:]...), mark...)
	}
	return base64.RawStdEncoding.EncodeToString(data)
}

func parseDrainMarks(text string) DrainMarks {
	const size = len(chainKey{}) + markSize
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(data)%size != 0 {
		return nil
	}
	marks := DrainMarks{}
	for record := range slices.Chunk(data, size) {
		marks[chainKey(record)] = hex.EncodeToString(record[len(chainKey{}):])
	}
	return marks
}

// ListenerVersion has the parts of the version of a listener with drain marks.
type ListenerVersion struct {
	// Hash is the version of the listener, Unmarked that of the same listener without marks.
	Hash, Unmarked string
	Marks          DrainMarks
}

func (v ListenerVersion) String() string {
	return v.Hash + marksSeparator + v.Marks.encode() + unmarkedSeparator + v.Unmarked
}

// ParseListenerVersion returns false for the version of anything but a listener with drain marks.
func ParseListenerVersion(text string) (ListenerVersion, bool) {
	marked, unmarked, ok := strings.Cut(text, unmarkedSeparator)
	version, marks, _ := strings.Cut(marked, marksSeparator)
	return ListenerVersion{Hash: version, Unmarked: unmarked, Marks: parseDrainMarks(marks)}, ok
}

// DrainMarks returns the drain marks of a listener; nil without one.
func (c *Content) DrainMarks() DrainMarks { return c.drainMarks }

// WithDrainMarks returns a listener with the marks of one client. Its hash remains that of c, which stands for it in the snapshot.
func (c *Content) WithDrainMarks(marks DrainMarks) (*Content, error) {
	listener := &listenerv3.Listener{}
	if err := c.decode(listener); err != nil {
		return nil, fmt.Errorf("drain marks cannot be set: %w", err)
	}
	marked, err := New(envoy.Resource{TypeURL: c.kind.URL(), Name: c.name, Message: envoy.WithDrainMarks(listener, marks.OfChain)})
	if err == nil {
		marked.hash = c.hash
	}
	return marked, err
}

// IsSentAs reports whether a client with a version of the listener has its content, apart from marks that this replica does not know.
func (c *Content) IsSentAs(held ListenerVersion) bool {
	if c.hash.String() == held.Hash {
		return true
	}
	unmarked := c.hash.String()
	if current, marked := ParseListenerVersion(c.wireVersion); marked {
		unmarked = current.Unmarked
	}
	return unmarked == held.Unmarked && held.Marks.Carry(held.Marks.Common(c.drainMarks), c.drainMarks).Equal(held.Marks)
}

// listenerVersion returns the version of a listener with drain marks.
func listenerVersion(r envoy.Resource, marked Version, marks DrainMarks) (string, error) {
	listener, _ := r.Message.(*listenerv3.Listener)
	r.Message = envoy.WithDrainMarks(listener, func(string) string { return "" })
	value, err := marshal(resourcetype.Listeners, r)
	if err != nil {
		return "", err
	}
	return ListenerVersion{Hash: marked.String(), Marks: marks, Unmarked: hash(encode(resourcetype.Listeners, r.Name, value)).String()}.String(), nil
}

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
