package resource

import (
	"fmt"

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
	drainMarks  DrainMarks
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
	if c.drainMarks = drainMarksOf(r); c.drainMarks != nil {
		if c.wireVersion, err = listenerVersion(r, c.hash, c.drainMarks); err != nil {
			return nil, err
		}
	}
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
