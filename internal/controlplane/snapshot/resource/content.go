package resource

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"

	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// Content is an immutable resource that was marshalled and hashed once.
type Content struct {
	kind      resourcetype.Type
	bindsPort bool
	name      string
	hash      Version
	// encoded has the fields name and resource of a marshalled discovery Resource. The version field is written in front of it.
	encoded []byte
	// wireVersion replaces the hash as version on the wire; empty for most contents.
	wireVersion string
	// marks are the drain marks of a listener for one client.
	marks DrainMarks
	// marked is the listener with the marks that a client needed last. Most clients with marks need the same ones.
	marked atomic.Pointer[Content]
}

// Field numbers of envoy.service.discovery.v3.Resource and google.protobuf.Any.
const (
	fieldResourceAny  = 2
	fieldResourceName = 3
	fieldAnyURL       = 1
	fieldAnyValue     = 2
)

// New marshals and hashes a resource.
func New(r envoy.Resource) (*Content, error) {
	kind, err := resourcetype.ParseType(r.TypeURL)
	if err != nil {
		return nil, fmt.Errorf("resource %q cannot be served: %w", r.Name, err)
	}
	value, err := marshal(kind, r)
	if err != nil {
		return nil, err
	}
	c := &Content{kind: kind, name: r.Name, encoded: encode(kind, r.Name, value), bindsPort: bindsPort(r.Message)}
	c.hash = hash(c.encoded)
	if principals, ok := envoy.NetworkPrincipals(r); ok {
		c.wireVersion = permissionsVersion(c.hash, principals)
	}
	return c, nil
}

// NewWithVersion is New with a version that is not derived from the content.
func NewWithVersion(r envoy.Resource, wireVersion string) (*Content, error) {
	c, err := New(r)
	if err == nil {
		c.wireVersion = wireVersion
	}
	return c, err
}

func marshal(kind resourcetype.Type, r envoy.Resource) ([]byte, error) {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.Message)
	if err != nil {
		return nil, fmt.Errorf("%s resource %q cannot be marshalled: %w", kind, r.Name, err)
	}
	return value, nil
}

func bindsPort(m proto.Message) bool {
	l, ok := m.(*listener.Listener)
	return ok && (l.GetBindToPort() == nil || l.GetBindToPort().GetValue())
}

// encode returns the fields name and resource of a discovery Resource.
func encode(kind resourcetype.Type, name string, value []byte) []byte {
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

// Type returns the resource type.
func (c *Content) Type() resourcetype.Type { return c.kind }

// Name returns the resource name, unique within its type.
func (c *Content) Name() string { return c.name }

// decode unmarshals the message of the resource.
func (c *Content) decode(m proto.Message) error {
	var wrapped discovery.Resource
	if err := proto.Unmarshal(c.encoded, &wrapped); err != nil {
		return fmt.Errorf("%s resource %q does not decode: %w", c.kind, c.name, err)
	}
	return wrapped.GetResource().UnmarshalTo(m)
}

// Hash returns the content hash. Equal contents have equal hashes in all replicas.
func (c *Content) Hash() Version { return c.hash }

// BindsPort reports whether the resource is a listener that accepts connections itself. Other listeners receive connections
// from one that does.
func (c *Content) BindsPort() bool { return c.bindsPort }

// Encoded returns the fields name and resource of the marshalled discovery Resource. The caller must not modify it.
func (c *Content) Encoded() []byte { return c.encoded }

// EncodedAny returns the field resource of Encoded, including its tag. The caller must not modify it.
func (c *Content) EncodedAny() []byte {
	return c.encoded[protowire.SizeTag(fieldResourceName)+protowire.SizeBytes(len(c.name)):]
}

// WireVersion returns the version that replaces the hash on the wire: that of a service certificate, of a listener with drain marks,
// or of the permissions of a filter chain. It is empty for other contents.
func (c *Content) WireVersion() string { return c.wireVersion }

// Versioned is a content at the version that is sent to one client.
type Versioned struct {
	*Content
	Version Version
}

// WireVersion returns the version on the wire.
func (v Versioned) WireVersion() string {
	if v.wireVersion != "" {
		return v.wireVersion
	}
	return v.Version.String()
}

// Interner returns the same pointer for equal contents. It holds weak references: a content that is no longer used is collected.
// It is safe for concurrent use.
type Interner struct {
	mu       sync.Mutex
	contents map[internKey]weak.Pointer[Content]
}

type internKey struct {
	kind resourcetype.Type
	name string
	hash Version
}

// NewInterner returns an empty Interner.
func NewInterner() *Interner { return &Interner{contents: map[internKey]weak.Pointer[Content]{}} }

// Intern returns the content that equals c: an existing one if there is one, otherwise c.
func (i *Interner) Intern(c *Content) *Content {
	key := internKey{c.kind, c.name, c.hash}
	i.mu.Lock()
	defer i.mu.Unlock()
	if existing := i.contents[key].Value(); existing != nil {
		return existing
	}
	i.contents[key] = weak.Make(c)
	runtime.AddCleanup(c, i.remove, key)
	return c
}

// Len returns the number of contents, including those that are collected but not cleaned up yet.
func (i *Interner) Len() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.contents)
}

// remove drops the key of a collected content, unless an equal content replaced it.
func (i *Interner) remove(key internKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.contents[key].Value() == nil {
		delete(i.contents, key)
	}
}

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
