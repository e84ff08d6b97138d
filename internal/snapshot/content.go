package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"weak"

	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/envoy"
)

// content is a resource without its version: immutable, marshalled and hashed once, and shared by all who hold an equal one.
type content struct {
	kind Type
	// door is true for a listener that takes connections itself; others are handed theirs by one.
	door bool
	name string
	hash uint64
	// body is the tail of a marshalled discovery Resource: its name and its Any. The version goes in front of it.
	body []byte
	// label is the version on the wire of a content whose version is not its hash.
	label string
}

// Field numbers of envoy.service.discovery.v3.Resource and google.protobuf.Any.
const (
	fieldResourceVersion = 1
	fieldResourceAny     = 2
	fieldResourceName    = 3
	fieldAnyURL          = 1
	fieldAnyValue        = 2
)

// newContent marshals and hashes a resource.
func newContent(r envoy.Resource) (*content, error) {
	kind, err := ParseType(r.TypeURL)
	if err != nil {
		return nil, fmt.Errorf("resource %q cannot be served: %w", r.Name, err)
	}
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.Message)
	if err != nil {
		return nil, fmt.Errorf("%s resource %q cannot be marshalled: %w", kind, r.Name, err)
	}
	c := &content{kind: kind, name: r.Name, body: body(kind, r.Name, value), door: isDoor(r.Message)}
	c.hash = hash(c.body)
	if plain, marked := envoy.WithoutDrainMarks(r); marked {
		value, err := proto.MarshalOptions{Deterministic: true}.Marshal(plain.Message)
		if err != nil {
			return nil, fmt.Errorf("%s resource %q cannot be marshalled: %w", kind, r.Name, err)
		}
		c.label = markedVersion(c.hash, hash(body(kind, r.Name, value)))
	}
	return c, nil
}

func isDoor(m proto.Message) bool {
	l, ok := m.(*listener.Listener)
	return ok && (l.GetBindToPort() == nil || l.GetBindToPort().GetValue())
}

// body is the tail of a marshalled discovery Resource, from its marshalled message.
func body(kind Type, name string, value []byte) []byte {
	url := kind.URL()
	anySize := protowire.SizeTag(fieldAnyURL) + protowire.SizeBytes(len(url)) +
		protowire.SizeTag(fieldAnyValue) + protowire.SizeBytes(len(value))
	size := protowire.SizeTag(fieldResourceName) + protowire.SizeBytes(len(name)) +
		protowire.SizeTag(fieldResourceAny) + protowire.SizeBytes(anySize)
	b := make([]byte, 0, size)
	b = protowire.AppendString(protowire.AppendTag(b, fieldResourceName, protowire.BytesType), name)
	b = protowire.AppendVarint(protowire.AppendTag(b, fieldResourceAny, protowire.BytesType), uint64(anySize))
	b = protowire.AppendString(protowire.AppendTag(b, fieldAnyURL, protowire.BytesType), url)
	return protowire.AppendBytes(protowire.AppendTag(b, fieldAnyValue, protowire.BytesType), value)
}

// hash is the first eight bytes of SHA-256, so that nobody who may write a policy can make two versions of it look equal. It
// never returns a value that the sequencer gives a meaning of its own.
func hash(data []byte) uint64 {
	sum := sha256.Sum256(data)
	h := binary.BigEndian.Uint64(sum[:])
	if h < firstVersion {
		h += firstVersion
	}
	return h
}

// combine is the version of something that must count as new when either of two versions changes.
func combine(a, b uint64) uint64 {
	var data [16]byte
	binary.BigEndian.PutUint64(data[:8], a)
	binary.BigEndian.PutUint64(data[8:], b)
	return hash(data[:])
}

// interner makes equal contents one and the same, for as long as somebody holds it.
type interner struct {
	mu       sync.Mutex
	contents map[internKey]weak.Pointer[content]
}

type internKey struct {
	kind Type
	name string
	hash uint64
}

func newInterner() *interner { return &interner{contents: map[internKey]weak.Pointer[content]{}} }

// intern returns the content that equals c: an older one if there is one, else c itself.
func (i *interner) intern(c *content) *content {
	key := internKey{c.kind, c.name, c.hash}
	i.mu.Lock()
	defer i.mu.Unlock()
	if held, ok := i.contents[key]; ok {
		if shared := held.Value(); shared != nil {
			return shared
		}
	}
	i.contents[key] = weak.Make(c)
	runtime.AddCleanup(c, i.forget, key)
	return c
}

// forget drops a key whose content was collected, unless an equal content took its place meanwhile.
func (i *interner) forget(key internKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if held, ok := i.contents[key]; ok && held.Value() == nil {
		delete(i.contents, key)
	}
}
