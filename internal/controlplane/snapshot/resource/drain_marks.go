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
)

// DrainMarks are the drain marks that one client has in the filter chains of its inbound listener. A chain without a mark has no element.
//
// The snapshot has the listener without marks. They depend on what the client was sent before, possibly by other replicas, so they are part of
// the listener's version, which the client reports when it connects again: the hash, the marks, and the hash of the listener without marks, as
// "<hash>:<marks>-<unmarked hash>".
type DrainMarks map[chainKey]string

// chainKey is the beginning of the hash of a filter chain's name. Of two chains with equal keys, one gets the mark of the other, which drains its
// connections without need.
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

// OfChain returns the mark of a filter chain; empty for none.
func (m DrainMarks) OfChain(name string) string { return m[keyOf(name)] }

// WithChain returns the marks with another one for a filter chain; empty for none.
func (m DrainMarks) WithChain(name, mark string) DrainMarks {
	if m.OfChain(name) == mark {
		return m
	}
	changed := maps.Clone(m)
	if changed == nil {
		changed = DrainMarks{}
	}
	changed[keyOf(name)] = mark
	if mark == "" {
		delete(changed, keyOf(name))
	}
	return changed
}

// With returns the marks, and those of other in their place.
func (m DrainMarks) With(other DrainMarks) DrainMarks {
	if len(other) == 0 {
		return m
	}
	merged := maps.Clone(m)
	if merged == nil {
		merged = DrainMarks{}
	}
	maps.Copy(merged, other)
	return merged
}

// Equal reports whether both have the same marks.
func (m DrainMarks) Equal(other DrainMarks) bool { return maps.Equal(m, other) }

// NextMark returns the mark that follows another one when principals lose their permissions. It is the same in all replicas that observe the same
// changes, and it is never the one before.
func NextMark(mark, permissions string) string {
	sum := sha256.Sum256([]byte(mark + permissionsSeparator + permissions))
	return hex.EncodeToString(sum[:markSize])
}

// encode returns the marks in a version. Those that exceed maxListSize are omitted: a client drains their chains once more than needed.
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
	// Hash is the hash of the listener, Unmarked that of the same listener without marks.
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

// DrainMarks returns the marks that WithDrainMarks has set; nil for none.
func (c *Content) DrainMarks() DrainMarks { return c.marks }

// WithDrainMarks returns a listener of the snapshot with the marks of one client. Marks of chains that it does not have are omitted. Its hash
// remains that of c, which stands for it in the snapshot.
func (c *Content) WithDrainMarks(marks DrainMarks) (*Content, error) {
	if len(marks) == 0 {
		return c, nil
	}
	if made := c.marked.Load(); made != nil && made.marks.Equal(marks) {
		return made, nil
	}
	listener := &listenerv3.Listener{}
	if err := c.decode(listener); err != nil {
		return nil, fmt.Errorf("drain marks cannot be set: %w", err)
	}
	listener = envoy.WithDrainMarks(listener, marks.OfChain)
	made, err := New(envoy.Resource{TypeURL: c.kind.URL(), Name: c.name, Message: listener})
	if err != nil {
		return nil, err
	}
	for chain, mark := range envoy.DrainMarks(listener) {
		made.marks = made.marks.WithChain(chain, mark)
	}
	if made.marks == nil {
		return c, nil
	}
	made.wireVersion = ListenerVersion{Hash: made.hash.String(), Marks: made.marks, Unmarked: c.hash.String()}.String()
	made.hash = c.hash
	c.marked.Store(made)
	return made, nil
}

// LosesGrant reports whether a listener takes something away from the connections of its predecessor. It is true for contents that are no listeners.
func LosesGrant(before, after *Content) bool {
	held, err := before.listenerGrants()
	current, alsoErr := after.listenerGrants()
	return err != nil || alsoErr != nil || envoy.LosesGrant(held, current)
}

// unsureMark ends the version of a listener that the client may receive after its drain began, and then does not apply.
const unsureMark = "~"

// WithUnsureMark returns a listener whose version says that the client may not have applied it.
func (c *Content) WithUnsureMark() *Content {
	version := Versioned{Content: c, Version: c.hash}.WireVersion() + unsureMark
	return &Content{kind: c.kind, name: c.name, hash: c.hash, encoded: c.encoded, bindsPort: c.bindsPort, marks: c.marks, wireVersion: version}
}

// CutUnsureMark returns the version of a listener without the mark of WithUnsureMark, and whether it had one.
func CutUnsureMark(version string) (string, bool) { return strings.CutSuffix(version, unsureMark) }

func (c *Content) listenerGrants() ([]envoy.Grant, error) {
	listener := &listenerv3.Listener{}
	if err := c.decode(listener); err != nil {
		return nil, err
	}
	return envoy.ListenerGrants(listener), nil
}
